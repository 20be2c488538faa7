#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "wake_up.h"
#include "worker.h"

namespace heddle {

/**
 * The worker, as script sees it. It ends with `close()`, or with the thread's environment: whichever comes first, and
 * whatever is under way then.
 */
class WorkerObject : public Napi::ObjectWrap<WorkerObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit WorkerObject(const Napi::CallbackInfo& info);
  ~WorkerObject() override;

 private:
  template <typename Body>
  Napi::Value Call(const Napi::CallbackInfo& info, Body body);

  Napi::Value Exchange(const Napi::CallbackInfo& info);
  Napi::Value Submit(const Napi::CallbackInfo& info);
  Napi::Value Arm(const Napi::CallbackInfo& info);
  Napi::Value Disarm(const Napi::CallbackInfo& info);
  Napi::Value Listen(const Napi::CallbackInfo& info);
  Napi::Value CloseListener(const Napi::CallbackInfo& info);
  Napi::Value Connect(const Napi::CallbackInfo& info);
  Napi::Value EndpointAddress(const Napi::CallbackInfo& info);
  Napi::Value DescribeEndpoint(const Napi::CallbackInfo& info);
  Napi::Value IsOneSided(const Napi::CallbackInfo& info);
  Napi::Value RegisterMemory(const Napi::CallbackInfo& info);
  Napi::Value UnregisterMemory(const Napi::CallbackInfo& info);
  Napi::Value MemoryAddress(const Napi::CallbackInfo& info);
  Napi::Value PackKey(const Napi::CallbackInfo& info);
  Napi::Value UnpackKey(const Napi::CallbackInfo& info);
  Napi::Value ReleaseKey(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  void Open(const Napi::CallbackInfo& info);
  void End();
  void OnReadable();
  /** Lets go of script memory that UCX no longer uses. */
  void ReleaseFreedMemory();

  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle handle, void* self);

  std::unique_ptr<Worker> worker_;
  WakeUp* wake_up_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_hook_ = nullptr;
  Napi::FunctionReference on_wake_;
  /** The script's memory that the worker uses: kept from being collected. */
  std::vector<Napi::ObjectReference> queue_memory_;
  std::unordered_map<int32_t, Napi::ObjectReference> registered_;
};

}  // namespace heddle
