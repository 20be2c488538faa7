#include <napi.h>

#include "ucx_context.h"
#include "ucx_library.h"
#include "worker_object.h"

namespace heddle {
namespace {

/** Runs `body`: a UCX that cannot be used becomes an error of the script with the code UCX_UNAVAILABLE. */
template <typename Body>
Napi::Value Guarded(Napi::Env env, Body body) {
  try {
    return body();
  } catch (const UcxUnavailable& error) {
    Napi::Error converted = Napi::Error::New(env, error.what());
    converted.Set("code", "UCX_UNAVAILABLE");
    throw converted;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

/** Loads UCX, and returns its version. */
Napi::Value LoadUcx(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&] { return Napi::String::New(env, UcxLibrary::Get().ucp_get_version_string()); });
}

/** What UCX says of the devices and transports of this machine. */
Napi::Value DescribeResources(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&] { return Napi::String::New(env, UcxContext::Acquire(false)->Describe()); });
}

/** What a status of UCX means. */
Napi::Value StatusText(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&] {
    const auto status = static_cast<ucs_status_t>(info[0].As<Napi::Number>().Int32Value());
    return Napi::String::New(env, UcxLibrary::Get().StatusText(status));
  });
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("loadUcx", Napi::Function::New<LoadUcx>(env, "loadUcx"));
  exports.Set("describeResources", Napi::Function::New<DescribeResources>(env, "describeResources"));
  exports.Set("statusText", Napi::Function::New<StatusText>(env, "statusText"));
  exports.Set("Worker", WorkerObject::Define(env));
  return exports;
}

}  // namespace
}  // namespace heddle

static Napi::Object InitializeAddon(Napi::Env env, Napi::Object exports) { return heddle::Initialize(env, exports); }

NODE_API_MODULE(heddle_rdma, InitializeAddon)
