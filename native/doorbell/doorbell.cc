#include <napi.h>
#include <uv.h>

#include <array>
#include <cstdint>
#include <mutex>

/**
 * Wakes the event loop of another thread of the process: a bell is opened by the thread that sleeps, and rung by number
 * from any other. One eventfd write, against the queue, the locks and the deserializer of a MessagePort.
 */
namespace heddle {
namespace {

/** A bell's number is its place in the table plus this times its generation: a number is not used twice for long. */
constexpr int32_t kPlaces = 2048;
constexpr int32_t kGenerations = 1 << 19;

struct Bell {
  uv_async_t async;
  int32_t number;
  Napi::FunctionReference on_ring;
  napi_async_cleanup_hook_handle cleanup_hook = nullptr;
};

/** Where ringers find a bell. The lock keeps it open while it is being rung. */
struct Place {
  std::mutex mutex;
  Bell* bell = nullptr;
  int32_t generation = 0;
};

/** One for the process: its threads load the same library. Never destroyed, since threads may ring until the very end. */
std::array<Place, kPlaces>& Places() {
  static auto* places = new std::array<Place, kPlaces>();
  return *places;
}

/** No thread rings it any more. libuv lets go of its handle a turn of the loop later; until then the environment waits. */
void Close(Bell* bell) {
  {
    Place& place = Places()[bell->number % kPlaces];
    const std::lock_guard<std::mutex> lock(place.mutex);
    if (place.bell != bell) return;
    place.bell = nullptr;
  }
  bell->on_ring.Reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&bell->async), [](uv_handle_t* handle) {
    auto* closed = static_cast<Bell*>(handle->data);
    const auto hook = closed->cleanup_hook;
    delete closed;
    if (hook != nullptr) napi_remove_async_cleanup_hook(hook);
  });
}

void OnRing(uv_async_t* async) {
  auto* bell = static_cast<Bell*>(async->data);
  if (bell->on_ring.IsEmpty()) return;
  const Napi::Env env = bell->on_ring.Env();
  const Napi::HandleScope scope(env);
  // Not by node-addon-api: when the thread is ended within the callback there is no error to be had, and making one is fatal.
  const napi_value on_ring = bell->on_ring.Value();
  const napi_status status = napi_make_callback(env, nullptr, on_ring, on_ring, 0, nullptr, nullptr);
  if (status != napi_pending_exception) return;
  napi_value error = nullptr;
  // As from any other callback of the event loop.
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

/** open(onRing): number. The bell does not keep the event loop alive. */
Napi::Value Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsFunction()) throw Napi::TypeError::New(env, "onRing must be a function");
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw Napi::Error::New(env, "there is no event loop");
  for (int32_t index = 0; index < kPlaces; index++) {
    Place& place = Places()[index];
    const std::lock_guard<std::mutex> lock(place.mutex);
    if (place.bell != nullptr) continue;
    auto* bell = new Bell();
    if (uv_async_init(loop, &bell->async, OnRing) != 0) {
      delete bell;
      throw Napi::Error::New(env, "the event loop takes no more handles");
    }
    bell->async.data = bell;
    uv_unref(reinterpret_cast<uv_handle_t*>(&bell->async));
    place.generation = place.generation % kGenerations + 1;
    bell->number = place.generation * kPlaces + index;
    bell->on_ring = Napi::Persistent(info[0].As<Napi::Function>());
    place.bell = bell;
    // At the thread's end, however that comes.
    const auto at_end = [](napi_async_cleanup_hook_handle, void* argument) { Close(static_cast<Bell*>(argument)); };
    napi_add_async_cleanup_hook(env, at_end, bell, &bell->cleanup_hook);
    return Napi::Number::New(env, bell->number);
  }
  throw Napi::Error::New(env, "all bells are taken");
}

/** Where a ringer finds the bell of that number, if it is one. */
Place* PlaceOf(int32_t number) { return number > 0 ? &Places()[number % kPlaces] : nullptr; }

/**
 * ring(number). Does nothing when the bell is closed, or its thread gone. Not by node-addon-api, whose CallbackInfo and values cost
 * as much as the rest: what is sent to a thread that sleeps waits for this.
 */
napi_value Ring(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  int32_t number;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok) return nullptr;
  if (napi_get_value_int32(env, argument, &number) != napi_ok) return nullptr;
  Place* place = PlaceOf(number);
  if (place == nullptr) return nullptr;
  const std::lock_guard<std::mutex> lock(place->mutex);
  if (place->bell != nullptr && place->bell->number == number) uv_async_send(&place->bell->async);
  return nullptr;
}

/** close(number), by the thread that opened it. */
void CloseByNumber(const Napi::CallbackInfo& info) {
  const int32_t number = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : 0;
  Place* place = PlaceOf(number);
  if (place == nullptr) return;
  Bell* bell;
  {
    const std::lock_guard<std::mutex> lock(place->mutex);
    bell = place->bell;
  }
  if (bell == nullptr || bell->number != number) return;
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok || bell->async.loop != loop) {
    throw Napi::Error::New(info.Env(), "a bell is closed by the thread that opened it");
  }
  Close(bell);
}

}  // namespace
}  // namespace heddle

static Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New<heddle::Open>(env, "open"));
  napi_value ring = nullptr;
  if (napi_create_function(env, "ring", NAPI_AUTO_LENGTH, heddle::Ring, nullptr, &ring) != napi_ok) {
    throw Napi::Error::New(env, "the function ring could not be made");
  }
  exports.Set("ring", ring);
  exports.Set("close", Napi::Function::New<heddle::CloseByNumber>(env, "close"));
  return exports;
}

NODE_API_MODULE(heddle_doorbell, Initialize)
