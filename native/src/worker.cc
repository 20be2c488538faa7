#include "worker.h"

#include <algorithm>
#include <utility>

#include "message_ids.h"

namespace heddle {
namespace {

/** How often one exchange lets UCX work, as long as there is something: the script has its turn in between. */
constexpr int kProgressRounds = 64;
/** Smaller frames are copied by every transport; for larger ones UCX is told how their memory is registered. */
constexpr size_t kRegisteredSendBytes = 8 * 1024;

}  // namespace

Worker::Worker(std::shared_ptr<UcxContext> context, const SharedQueues& queues)
    : context_(std::move(context)), queues_(queues), memory_(context_) {
  ucp_worker_params_t params = {};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_AM_ALIGNMENT;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  params.am_alignment = 8;
  ucs_status_t status = ucx().ucp_worker_create(context_->handle, &params, &handle_);
  if (status != UCS_OK) throw UcxError(status, "UCX could not make a worker; are there enough file descriptors?");
  try {
    status = ucx().ucp_worker_get_efd(handle_, &event_descriptor_);
    if (status != UCS_OK) throw UcxError(status, "UCX cannot wake an event loop with the transports of UCX_TLS");
    SetHandler(kHelloMessage, HelloArrived);
    SetHandler(kFrameMessage, FrameArrived);
    SetHandler(kTransferMessage, TransferArrived);
  } catch (...) {
    ucx().ucp_worker_destroy(handle_);
    throw;
  }
}

Worker::~Worker() {
  CloseEverything();
  ucx().ucp_worker_destroy(handle_);
}

// ---- what the script calls in every turn

ptrdiff_t Worker::Exchange(size_t count) {
  for (const int32_t id : closed_told_) free_endpoints_.push_back(id);
  closed_told_.clear();
  completion_count_ = 0;
  area_used_ = 0;
  collecting_ = true;
  count = std::min(count, queues_.submission_capacity);
  for (size_t index = 0; index < count; ++index) Start(queues_.submissions[index]);
  DrainBacklog();
  bool has_moved = false;
  for (int round = 0; round < kProgressRounds; ++round) {
    if (!backlog_.empty() || area_used_ > queues_.receive_area_bytes / 2) break;
    if (completion_count_ > queues_.completion_capacity / 2) break;
    if (ucx().ucp_worker_progress(handle_) == 0) break;
    has_moved = true;
  }
  collecting_ = false;
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  return completion_count_ == 0 && has_moved ? kMovedOnly : static_cast<ptrdiff_t>(completion_count_);
}

size_t Worker::Submit(size_t count) {
  count = std::min(count, queues_.submission_capacity);
  for (size_t index = 0; index < count; ++index) Start(queues_.submissions[index]);
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  return backlog_.size();
}

/**
 * A device of verbs tells of completions that come after it was armed. Of one that came just before, since UCX last
 * looked, some tell (mlx5), others (SoftRoCE) never do: it would lie there until another comes. So UCX looks once more.
 */
bool Worker::Arm() {
  if (!backlog_.empty() || ucx().ucp_worker_arm(handle_) != UCS_OK) return false;
  return ucx().ucp_worker_progress(handle_) == 0 && backlog_.empty() && failure_ == nullptr;
}

void Worker::CloseNow(Endpoint* endpoint) {
  BeginClose(endpoint);
  // In a thread that sleeps nobody else lets UCX begin: closing wakes no event loop by itself.
  ucx().ucp_worker_progress(handle_);
}

// ---- operations

void Worker::Start(const Submission& submission) {
  Endpoint* endpoint = FindEndpoint(submission.endpoint);
  const auto kind = static_cast<SubmissionKind>(submission.kind);
  if (kind == SubmissionKind::kClose) {
    if (endpoint != nullptr) CloseNow(endpoint);
    return;
  }
  if (kind == SubmissionKind::kDiscard) {
    if (endpoint != nullptr) Discard(endpoint, static_cast<uint32_t>(submission.reference));
    return;
  }
  Operation* operation = operations_.Take();
  operation->worker = this;
  operation->endpoint = submission.endpoint;
  operation->tag = submission.tag;
  operation->memory = -1;
  if (endpoint == nullptr || endpoint->state != EndpointState::kOpen) {
    Complete(operation, UCS_ERR_NOT_CONNECTED);
    return;
  }
  if (kind != SubmissionKind::kFlush) {
    MemoryTable::Region* region = memory_.Find(submission.memory, submission.offset, submission.length);
    if (region == nullptr) {
      Complete(operation, UCS_ERR_OUT_OF_RANGE);
      return;
    }
    operation->address = region->base + submission.offset;
    operation->length = static_cast<size_t>(submission.length);
    operation->memory = submission.memory;
    memory_.Use(submission.memory);
  }
  ++endpoint->outstanding;
  switch (kind) {
    case SubmissionKind::kHello:
      operation->hello = {static_cast<uint32_t>(endpoint->id), endpoint->has_received_hello ? 1u : 0u, endpoint->local_nonce};
      StartSend(endpoint, submission, operation, kHelloMessage, UCP_AM_SEND_FLAG_EAGER | UCP_AM_SEND_FLAG_REPLY);
      return;
    case SubmissionKind::kFrame:
      operation->message = {endpoint->remote_id, endpoint->next_sequence++, endpoint->remote_nonce};
      StartSend(endpoint, submission, operation, kFrameMessage, UCP_AM_SEND_FLAG_EAGER);
      return;
    case SubmissionKind::kSendBuffer:
      operation->message = {endpoint->remote_id, static_cast<uint32_t>(submission.reference), endpoint->remote_nonce};
      StartSend(endpoint, submission, operation, kTransferMessage, UCP_AM_SEND_FLAG_RNDV);
      return;
    case SubmissionKind::kReceiveBuffer:
      StartReceive(endpoint, submission, operation);
      return;
    default:
      StartOneSided(endpoint, submission, operation);
  }
}

void Worker::StartSend(Endpoint* endpoint, const Submission& submission, Operation* operation, unsigned id, unsigned flags) {
  if (id != kHelloMessage && !endpoint->has_received_hello) {
    Finish(operation, UCS_ERR_NOT_CONNECTED);
    return;
  }
  ucp_request_param_t param = {};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = flags;
  param.cb.send = SendEnded;
  param.user_data = operation;
  if (operation->length >= kRegisteredSendBytes) {
    param.op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
    param.memh = memory_.Find(submission.memory, 0, 0)->handle;
  }
  // The header is the operation's own: UCX may read it as late as it completes.
  static_assert(sizeof(operation->hello) == sizeof(operation->message), "one length serves both");
  Settle(operation, ucx().ucp_am_send_nbx(endpoint->handle, id, &operation->message, sizeof(operation->message),
                                          operation->address, operation->length, &param));
}

void Worker::Settle(Operation* operation, ucs_status_ptr_t returned) {
  if (returned == nullptr) Finish(operation, UCS_OK);
  else if (UCS_PTR_IS_ERR(returned)) Finish(operation, UCS_PTR_STATUS(returned));
  // Otherwise the callback finishes it.
}

void Worker::Finish(Operation* operation, ucs_status_t status) {
  Endpoint* endpoint = endpoints_[operation->endpoint].get();
  --endpoint->outstanding;
  if (status != UCS_OK && endpoint->handle != nullptr) {
    // Until the endpoint is closed a peer, or its device, may still reach the memory.
    endpoint->failed_operations.emplace_back(operation, status);
    return;
  }
  Complete(operation, status);
  if (endpoint->state == EndpointState::kClosing && endpoint->outstanding == 0) OnEndpointClosed(endpoint);
}

void Worker::Complete(Operation* operation, ucs_status_t status) {
  if (operation->memory >= 0) memory_.Release(operation->memory);
  Tell(CompletionKind::kDone, operation->endpoint, operation->tag, status);
  operations_.Give(operation);
}

void Worker::SendEnded(void* request, ucs_status_t status, void* argument) {
  auto* operation = static_cast<Operation*>(argument);
  Worker* worker = operation->worker;
  Guarded(worker, [&] {
    worker->Finish(operation, status);
    return UCS_OK;
  });
  worker->ucx().ucp_request_free(request);
}

}  // namespace heddle
