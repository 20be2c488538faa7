#include "wake_up.h"

#include <stdexcept>

namespace heddle {

WakeUp* WakeUp::Open(napi_env env, int descriptor, std::function<void()> on_readable) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw std::runtime_error("there is no event loop");
  auto* self = new WakeUp(std::move(on_readable));
  self->poll_.data = self;
  const int failure = uv_poll_init(loop, &self->poll_, descriptor);
  if (failure != 0) {
    delete self;
    throw std::runtime_error(uv_strerror(failure));
  }
  uv_unref(HandleOf(&self->poll_));
  return self;
}

void WakeUp::Watch() {
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* self = static_cast<WakeUp*>(poll->data);
    // Readable until UCX has been polled, which is soon: one call is enough.
    uv_poll_stop(poll);
    if (self->on_readable_) self->on_readable_();
  });
}

void WakeUp::Unwatch() { uv_poll_stop(&poll_); }

void WakeUp::Close(std::function<void()> on_closed) {
  on_closed_ = std::move(on_closed);
  // Not now: this may be the callback itself that runs.
  uv_close(HandleOf(&poll_), [](uv_handle_t* handle) {
    auto* self = static_cast<WakeUp*>(handle->data);
    const auto closed = std::move(self->on_closed_);
    delete self;
    if (closed) closed();
  });
}

}  // namespace heddle
