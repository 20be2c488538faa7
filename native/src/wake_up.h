#pragma once

#include <node_api.h>
#include <uv.h>

#include <functional>

namespace heddle {

/**
 * Calls back in the event loop when a descriptor becomes readable, while it is being watched. Keeps no
 * loop alive by itself. libuv lets go of its handle
 * only in a later turn of the loop, so this object outlives its owner: `Close` instead of delete.
 */
class WakeUp {
 public:
  /** @throws std::runtime_error */
  static WakeUp* Open(napi_env env, int descriptor, std::function<void()> on_readable);
  void Watch();
  void Unwatch();
  /** No more calls from now on; `on_closed` follows when libuv has let go of it, and the object is gone then. */
  void Close(std::function<void()> on_closed);

 private:
  explicit WakeUp(std::function<void()> on_readable) : on_readable_(std::move(on_readable)) {}
  static uv_handle_t* HandleOf(uv_poll_t* poll) { return reinterpret_cast<uv_handle_t*>(poll); }

  uv_poll_t poll_;
  std::function<void()> on_readable_;
  std::function<void()> on_closed_;
};

}  // namespace heddle
