#include "worker_object.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

namespace heddle {
namespace {

/** A view's memory. Views work over SharedArrayBuffers in every version of Node.js, the buffers themselves do not. */
template <typename T>
T* ViewData(const Napi::Value& value, size_t* count) {
  if (!value.IsTypedArray()) throw std::invalid_argument("a typed array is expected");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const Napi::Env env = value.Env();
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    throw std::invalid_argument("the memory of the typed array cannot be reached");
  }
  const size_t width = type == napi_int32_array ? 4 : 1;
  if (width == 1 && type != napi_uint8_array) throw std::invalid_argument("an Int32Array or Uint8Array is expected");
  *count = length * width / sizeof(T);
  return static_cast<T*>(data);
}

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address ParseAddress(const Napi::CallbackInfo& info) {
  const std::string host = info[0].As<Napi::String>();
  const std::string port = std::to_string(info[1].As<Napi::Number>().Uint32Value());
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) throw std::invalid_argument("not an IP address: " + host);
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

Napi::Value FormatAddress(Napi::Env env, const sockaddr_storage& address) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (getnameinfo(generic, sizeof(address), host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("host", host);
  result.Set("port", std::atoi(port));
  return result;
}

}  // namespace

Napi::Function WorkerObject::Define(Napi::Env env) {
  return DefineClass(env, "Worker",
                     {
                         InstanceMethod<&WorkerObject::Exchange>("exchange"),
                         InstanceMethod<&WorkerObject::Submit>("submit"),
                         InstanceMethod<&WorkerObject::Arm>("arm"),
                         InstanceMethod<&WorkerObject::Disarm>("disarm"),
                         InstanceMethod<&WorkerObject::Listen>("listen"),
                         InstanceMethod<&WorkerObject::CloseListener>("closeListener"),
                         InstanceMethod<&WorkerObject::Connect>("connect"),
                         InstanceMethod<&WorkerObject::EndpointAddress>("endpointAddress"),
                         InstanceMethod<&WorkerObject::DescribeEndpoint>("describeEndpoint"),
                         InstanceMethod<&WorkerObject::IsOneSided>("isOneSided"),
                         InstanceMethod<&WorkerObject::RegisterMemory>("registerMemory"),
                         InstanceMethod<&WorkerObject::UnregisterMemory>("unregisterMemory"),
                         InstanceMethod<&WorkerObject::MemoryAddress>("memoryAddress"),
                         InstanceMethod<&WorkerObject::PackKey>("packKey"),
                         InstanceMethod<&WorkerObject::UnpackKey>("unpackKey"),
                         InstanceMethod<&WorkerObject::ReleaseKey>("releaseKey"),
                         InstanceMethod<&WorkerObject::Close>("close"),
                     });
}

/** Runs `body` with the worker: what C++ throws becomes an error of the script, with the status of UCX where it has one. */
template <typename Body>
Napi::Value WorkerObject::Call(const Napi::CallbackInfo& info, Body body) {
  const Napi::Env env = info.Env();
  try {
    if (worker_ == nullptr) throw std::runtime_error("the worker is closed");
    return body(env, *worker_);
  } catch (const UcxError& error) {
    Napi::Error converted = Napi::Error::New(env, std::string(error.what()) + ": " + UcxLibrary::Get().StatusText(error.status));
    converted.Set("status", Napi::Number::New(env, error.status));
    throw converted;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

// ---- its life

WorkerObject::WorkerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WorkerObject>(info) {
  const Napi::Env env = info.Env();
  try {
    Open(info);
  } catch (const UcxUnavailable& error) {
    Napi::Error converted = Napi::Error::New(env, error.what());
    converted.Set("code", "UCX_UNAVAILABLE");
    throw converted;
  } catch (const UcxError& error) {
    Napi::Error converted = Napi::Error::New(env, std::string(error.what()) + ": " + UcxLibrary::Get().StatusText(error.status));
    converted.Set("status", Napi::Number::New(env, error.status));
    throw converted;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

void WorkerObject::Open(const Napi::CallbackInfo& info) {
  SharedQueues queues = {};
  queues.submissions = ViewData<Submission>(info[0], &queues.submission_capacity);
  queues.completions = ViewData<Completion>(info[1], &queues.completion_capacity);
  queues.receive_area = ViewData<uint8_t>(info[2], &queues.receive_area_bytes);
  for (int argument = 0; argument < 3; ++argument) {
    queue_memory_.push_back(Napi::Persistent(info[argument].As<Napi::Object>()));
  }
  on_wake_ = Napi::Persistent(info[3].As<Napi::Function>());
  worker_ = std::make_unique<Worker>(UcxContext::Acquire(info[4].ToBoolean()), queues);
  try {
    wake_up_ = WakeUp::Open(info.Env(), worker_->event_descriptor(), [this] { OnReadable(); });
    if (napi_add_async_cleanup_hook(info.Env(), OnEnvironmentEnd, this, &cleanup_hook_) != napi_ok) {
      throw std::runtime_error("the thread is ending");
    }
  } catch (...) {
    if (wake_up_ != nullptr) wake_up_->Close({});
    wake_up_ = nullptr;
    throw;
  }
}

WorkerObject::~WorkerObject() { End(); }

/** Ends the worker now. libuv's handle goes a turn of the event loop later; until then the environment waits for it. */
void WorkerObject::End() {
  if (worker_ == nullptr || wake_up_ == nullptr) return;
  wake_up_->Unwatch();
  // The descriptor is the worker's: the handle lets go of it first.
  const auto hook = cleanup_hook_;
  cleanup_hook_ = nullptr;
  wake_up_->Close([hook] { napi_remove_async_cleanup_hook(hook); });
  wake_up_ = nullptr;
  worker_.reset();
  registered_.clear();
  queue_memory_.clear();
  on_wake_.Reset();
}

void WorkerObject::OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* argument) {
  static_cast<WorkerObject*>(argument)->End();
}

Napi::Value WorkerObject::Close(const Napi::CallbackInfo& info) {
  End();
  return info.Env().Undefined();
}

// ---- the event loop

void WorkerObject::OnReadable() {
  const Napi::Env env = on_wake_.Env();
  const Napi::HandleScope scope(env);
  napi_value result;
  const napi_status status = napi_make_callback(env, nullptr, env.Global(), on_wake_.Value(), 0, nullptr, &result);
  if (status != napi_pending_exception) return;
  napi_value exception;
  napi_get_and_clear_last_exception(env, &exception);
  // As from any callback of the event loop.
  napi_fatal_exception(env, exception);
}

Napi::Value WorkerObject::Arm(const Napi::CallbackInfo& info) {
  return Call(info, [this](Napi::Env env, Worker& worker) {
    const bool is_armed = worker.Arm();
    if (is_armed) wake_up_->Watch();
    return Napi::Boolean::New(env, is_armed);
  });
}

Napi::Value WorkerObject::Disarm(const Napi::CallbackInfo& info) {
  return Call(info, [this](Napi::Env env, Worker&) {
    wake_up_->Unwatch();
    return env.Undefined();
  });
}

// ---- every turn

Napi::Value WorkerObject::Exchange(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    const ptrdiff_t completions = worker.Exchange(info[0].As<Napi::Number>().Uint32Value());
    ReleaseFreedMemory();
    return Napi::Number::New(env, static_cast<double>(completions));
  });
}

Napi::Value WorkerObject::Submit(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    return Napi::Number::New(env, static_cast<double>(worker.Submit(info[0].As<Napi::Number>().Uint32Value())));
  });
}

// ---- listeners and endpoints

Napi::Value WorkerObject::Listen(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    const Address address = ParseAddress(info);
    const int32_t id = worker.Listen(address.get(), address.length);
    Napi::Object result = Napi::Object::New(env);
    result.Set("id", id);
    result.Set("address", FormatAddress(env, worker.ListenerAddress(id)));
    return result;
  });
}

Napi::Value WorkerObject::CloseListener(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    worker.CloseListener(info[0].As<Napi::Number>().Int32Value());
    return env.Undefined();
  });
}

Napi::Value WorkerObject::Connect(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    const Address address = ParseAddress(info);
    return Napi::Number::New(env, worker.Connect(address.get(), address.length));
  });
}

Napi::Value WorkerObject::EndpointAddress(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    return FormatAddress(env, worker.EndpointAddress(info[0].As<Napi::Number>().Int32Value(), info[1].ToBoolean()));
  });
}

Napi::Value WorkerObject::DescribeEndpoint(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    return Napi::String::New(env, worker.DescribeEndpoint(info[0].As<Napi::Number>().Int32Value()));
  });
}

Napi::Value WorkerObject::IsOneSided(const Napi::CallbackInfo& info) {
  return Call(info, [](Napi::Env env, Worker& worker) { return Napi::Boolean::New(env, worker.context().one_sided); });
}

// ---- memory

Napi::Value WorkerObject::RegisterMemory(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    size_t length = 0;
    auto* base = ViewData<uint8_t>(info[0], &length);
    if (length == 0) throw std::invalid_argument("there is nothing to register");
    const int32_t id = worker.memory().Register(base, length);
    registered_[id] = Napi::Persistent(info[0].As<Napi::Object>());
    return Napi::Number::New(env, id);
  });
}

Napi::Value WorkerObject::UnregisterMemory(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    worker.memory().Unregister(info[0].As<Napi::Number>().Int32Value());
    ReleaseFreedMemory();
    return env.Undefined();
  });
}

void WorkerObject::ReleaseFreedMemory() {
  if (!worker_->memory().HasFreed()) return;
  for (const int32_t id : worker_->memory().TakeFreed()) registered_.erase(id);
}

Napi::Value WorkerObject::MemoryAddress(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    const auto* region = worker.memory().Find(info[0].As<Napi::Number>().Int32Value(), 0, 0);
    if (region == nullptr) throw std::invalid_argument("no memory is registered under that number");
    return Napi::BigInt::New(env, static_cast<uint64_t>(reinterpret_cast<uintptr_t>(region->base)));
  });
}

Napi::Value WorkerObject::PackKey(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    const std::string packed = worker.PackKey(info[0].As<Napi::Number>().Int32Value());
    return Napi::Buffer<char>::Copy(env, packed.data(), packed.size());
  });
}

Napi::Value WorkerObject::UnpackKey(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    size_t length = 0;
    const auto* bytes = ViewData<char>(info[1], &length);
    return Napi::Number::New(env, worker.UnpackKey(info[0].As<Napi::Number>().Int32Value(), std::string(bytes, length)));
  });
}

Napi::Value WorkerObject::ReleaseKey(const Napi::CallbackInfo& info) {
  return Call(info, [&](Napi::Env env, Worker& worker) {
    worker.ReleaseKey(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value());
    return env.Undefined();
  });
}

}  // namespace heddle
