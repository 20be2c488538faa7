#include <chrono>
#include <random>

#include "memory_stream.h"
#include "worker.h"

namespace heddle {
namespace {

/** Endpoints of one worker at a time. */
constexpr size_t kMaximumEndpoints = 65536;
/** How long the end of a worker waits for UCX to let go of the script's memory. */
constexpr std::chrono::milliseconds kEndTimeout{500};

uint64_t RandomNumber() {
  thread_local std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

// ---- making them

int32_t Worker::Listen(const sockaddr* address, socklen_t length) {
  auto listener = std::make_unique<Listener>();
  listener->worker = this;
  listener->id = static_cast<int32_t>(listeners_.size());
  listeners_.reserve(listeners_.size() + 1);
  ucp_listener_params_t params = {};
  params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
  params.sockaddr.addr = address;
  params.sockaddr.addrlen = length;
  params.conn_handler.cb = ConnectionRequested;
  params.conn_handler.arg = listener.get();
  const ucs_status_t status = ucx().ucp_listener_create(handle_, &params, &listener->handle);
  if (status != UCS_OK) throw UcxError(status, "UCX cannot listen there");
  listeners_.push_back(std::move(listener));
  return static_cast<int32_t>(listeners_.size() - 1);
}

sockaddr_storage Worker::ListenerAddress(int32_t id) const {
  ucp_listener_attr_t attributes = {};
  attributes.field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR;
  const ucs_status_t status = ucx().ucp_listener_query(listeners_.at(id)->handle, &attributes);
  if (status != UCS_OK) throw UcxError(status, "UCX does not say where it listens");
  return attributes.sockaddr;
}

void Worker::CloseListener(int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= listeners_.size() || listeners_[id] == nullptr) return;
  ucp_listener_attr_t attributes = {};
  attributes.field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR;
  if (ucx().ucp_listener_query(listeners_[id]->handle, &attributes) == UCS_OK) StopAccepting(ucx(), attributes.sockaddr);
  ucx().ucp_listener_destroy(listeners_[id]->handle);
  listeners_[id].reset();
}

int32_t Worker::Connect(const sockaddr* address, socklen_t length) {
  ucp_ep_params_t params = {};
  params.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR;
  params.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
  params.sockaddr.addr = address;
  params.sockaddr.addrlen = length;
  return Open(&params)->id;
}

void Worker::OnConnectionRequest(Listener* listener, ucp_conn_request_h request) {
  if (is_ending_ || endpoints_.size() - free_endpoints_.size() >= kMaximumEndpoints) {
    ucx().ucp_listener_reject(listener->handle, request);
    return;
  }
  ucp_ep_params_t params = {};
  params.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST;
  params.conn_request = request;
  ucp_conn_request_attr_t attributes = {};
  attributes.field_mask = UCP_CONN_REQUEST_ATTR_FIELD_CLIENT_ADDR;
  const bool is_known = ucx().ucp_conn_request_query(request, &attributes) == UCS_OK;
  Endpoint* endpoint;
  try {
    endpoint = Open(&params);
    if (is_known) endpoint->accepted_peer = AcceptedPeer(attributes.client_address);
  } catch (const UcxError&) {
    // The peer has gone again, or there is no memory for it: it notices.
    return;
  }
  Tell(CompletionKind::kAccepted, endpoint->id, listener->id, UCS_OK);
}

Endpoint* Worker::AllocateEndpoint() {
  if (free_endpoints_.empty()) {
    if (endpoints_.size() >= kMaximumEndpoints) throw UcxError(UCS_ERR_NO_RESOURCE, "this context has too many connections");
    endpoints_.push_back(std::make_unique<Endpoint>());
    free_endpoints_.reserve(endpoints_.capacity());
    closed_told_.reserve(endpoints_.capacity());
    free_endpoints_.push_back(static_cast<int32_t>(endpoints_.size() - 1));
  }
  const int32_t id = free_endpoints_.back();
  Endpoint* endpoint = endpoints_[id].get();
  *endpoint = Endpoint();
  endpoint->worker = this;
  endpoint->id = id;
  endpoint->local_nonce = RandomNumber();
  free_endpoints_.pop_back();
  return endpoint;
}

Endpoint* Worker::Open(ucp_ep_params_t* params) {
  Endpoint* endpoint = AllocateEndpoint();
  params->field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params->err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params->err_handler.cb = EndpointFailed;
  params->err_handler.arg = endpoint;
  const ucs_status_t status = ucx().ucp_ep_create(handle_, params, &endpoint->handle);
  if (status != UCS_OK) {
    endpoint->handle = nullptr;
    free_endpoints_.push_back(endpoint->id);
    throw UcxError(status, "UCX cannot connect");
  }
  endpoint->state = EndpointState::kOpen;
  endpoints_by_handle_.emplace(endpoint->handle, endpoint);
  return endpoint;
}

Endpoint* Worker::FindEndpoint(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= endpoints_.size()) return nullptr;
  Endpoint* endpoint = endpoints_[id].get();
  return endpoint->state == EndpointState::kFree ? nullptr : endpoint;
}

// ---- ending them

void Worker::OnEndpointError(Endpoint* endpoint, ucs_status_t status) {
  if (endpoint->state != EndpointState::kOpen) return;
  endpoint->state = EndpointState::kFailed;
  Tell(CompletionKind::kFailed, endpoint->id, 0, status);
}

/** Ends the endpoint at once. What is under way ends with an error; the script is told when the last of it has. */
void Worker::BeginClose(Endpoint* endpoint) {
  if (endpoint->state != EndpointState::kOpen && endpoint->state != EndpointState::kFailed) return;
  DropHeld(endpoint);
  endpoint->state = EndpointState::kClosing;
  for (ucp_rkey_h key : endpoint->remote_keys) {
    if (key != nullptr) ucx().ucp_rkey_destroy(key);
  }
  endpoint->remote_keys.clear();
  ucp_request_param_t param = {};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.flags = UCP_EP_CLOSE_FLAG_FORCE;
  param.cb.send = CloseEnded;
  param.user_data = endpoint;
  ++endpoint->outstanding;
  ucp_ep_h handle = endpoint->handle;
  endpoints_by_handle_.erase(handle);
  const ucs_status_ptr_t returned = ucx().ucp_ep_close_nbx(handle, &param);
  if (returned == nullptr || UCS_PTR_IS_ERR(returned)) {
    --endpoint->outstanding;
    endpoint->handle = nullptr;
    if (endpoint->outstanding == 0) OnEndpointClosed(endpoint);
  }
}

void Worker::DropHeld(Endpoint* endpoint) {
  for (auto& early : endpoint->early_frames) Drop(&early.second);
  endpoint->early_frames.clear();
  for (const auto& offer : endpoint->offered) ucx().ucp_am_data_release(handle_, offer.second.descriptor);
  endpoint->offered.clear();
  auto wanted = std::move(endpoint->wanted);
  endpoint->wanted.clear();
  for (const auto& [transfer, operation] : wanted) Finish(operation, UCS_ERR_CANCELED);
}

void Worker::OnEndpointClosed(Endpoint* endpoint) {
  endpoint->state = EndpointState::kClosed;
  for (const auto& [operation, status] : endpoint->failed_operations) Complete(operation, status);
  endpoint->failed_operations.clear();
  endpoint->state = EndpointState::kFree;
  endpoint->accepted_peer = AcceptedPeer();
  Tell(CompletionKind::kClosed, endpoint->id, 0, UCS_OK);
}

void Worker::CloseEverything() noexcept {
  is_ending_ = true;
  for (size_t id = 0; id < listeners_.size(); ++id) CloseListener(static_cast<int32_t>(id));
  for (Waiting& waiting : backlog_) Drop(&waiting.bytes);
  backlog_.clear();
  for (const auto& endpoint : endpoints_) {
    if (endpoint->state == EndpointState::kOpen || endpoint->state == EndpointState::kFailed) CloseNow(endpoint.get());
  }
  const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
  const auto is_busy = [this] {
    for (const auto& endpoint : endpoints_) {
      if (endpoint->state == EndpointState::kClosing) return true;
    }
    return false;
  };
  while (is_busy() && std::chrono::steady_clock::now() < deadline) ucx().ucp_worker_progress(handle_);
}

// ---- what is known of them

std::string Worker::DescribeEndpoint(int32_t id) const {
  const Endpoint* endpoint = FindEndpoint(id);
  if (endpoint == nullptr || endpoint->state != EndpointState::kOpen) return {};
  MemoryStream stream;
  ucx().ucp_ep_print_info(endpoint->handle, stream.file());
  return stream.Take();
}

sockaddr_storage Worker::EndpointAddress(int32_t id, bool of_peer) const {
  ucp_ep_attr_t attributes = {};
  attributes.field_mask = of_peer ? UCP_EP_ATTR_FIELD_REMOTE_SOCKADDR : UCP_EP_ATTR_FIELD_LOCAL_SOCKADDR;
  const Endpoint* endpoint = FindEndpoint(id);
  if (endpoint == nullptr || endpoint->state != EndpointState::kOpen) return {};
  if (ucx().ucp_ep_query(endpoint->handle, &attributes) != UCS_OK) return {};
  return of_peer ? attributes.remote_sockaddr : attributes.local_sockaddr;
}

// ---- what UCX calls

void Worker::ConnectionRequested(ucp_conn_request_h request, void* argument) {
  auto* listener = static_cast<Listener*>(argument);
  Worker* worker = listener->worker;
  Guarded(worker, [&] {
    worker->OnConnectionRequest(listener, request);
    return UCS_OK;
  });
}

void Worker::EndpointFailed(void* argument, ucp_ep_h, ucs_status_t status) {
  auto* endpoint = static_cast<Endpoint*>(argument);
  Worker* worker = endpoint->worker;
  Guarded(worker, [&] {
    worker->OnEndpointError(endpoint, status);
    return UCS_OK;
  });
}

void Worker::CloseEnded(void* request, ucs_status_t, void* argument) {
  auto* endpoint = static_cast<Endpoint*>(argument);
  Worker* worker = endpoint->worker;
  Guarded(worker, [&] {
    endpoint->handle = nullptr;
    if (--endpoint->outstanding == 0) worker->OnEndpointClosed(endpoint);
    return UCS_OK;
  });
  worker->ucx().ucp_request_free(request);
}

}  // namespace heddle
