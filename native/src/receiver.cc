#include <cstring>

#include "message_ids.h"
#include "worker.h"

namespace heddle {
namespace {

/** The largest frame of heddle's protocol (src/transports/frame.ts). */
constexpr size_t kMaximumFrameBytes = 1024 * 1024;
constexpr size_t kMaximumHelloBytes = 256;
/** Frames of one peer that may have overtaken another. */
constexpr size_t kMaximumEarlyFrames = 256;
/** Transfers of one peer that may wait to be received. */
constexpr size_t kMaximumOffers = 65536;

template <typename Header>
bool ReadHeader(const void* bytes, size_t length, Header* header) {
  if (length != sizeof(Header)) return false;
  std::memcpy(header, bytes, sizeof(Header));
  return true;
}

}  // namespace

void Worker::SetHandler(unsigned id, ucp_am_recv_callback_t callback) {
  ucp_am_handler_param_t param = {};
  param.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                     UCP_AM_HANDLER_PARAM_FIELD_ARG;
  param.id = id;
  param.flags = UCP_AM_FLAG_WHOLE_MSG;
  param.cb = callback;
  param.arg = this;
  const ucs_status_t status = ucx().ucp_worker_set_am_recv_handler(handle_, &param);
  if (status != UCS_OK) throw UcxError(status, "UCX does not take a handler of active messages");
}

/** The open endpoint that a message is for, and the message's number. UCX aligns headers to nothing: they are copied out.
 * Null for what came too late, or from somebody who was not told the number. */
Endpoint* Worker::ReceiverOf(const void* header, size_t header_length, uint32_t* number) {
  MessageHeader message;
  if (!ReadHeader(header, header_length, &message)) return nullptr;
  *number = message.number;
  Endpoint* endpoint = FindEndpoint(static_cast<int32_t>(message.receiver));
  if (endpoint == nullptr || endpoint->state != EndpointState::kOpen || !endpoint->has_received_hello) return nullptr;
  return message.nonce == endpoint->local_nonce ? endpoint : nullptr;
}

void Worker::Violate(Endpoint* endpoint, Violation violation) {
  Tell(CompletionKind::kViolation, endpoint->id, static_cast<int32_t>(violation), UCS_ERR_INVALID_PARAM);
}

ucs_status_t Worker::OnFrame(const void* header, size_t header_length, void* data, size_t length,
                             const ucp_am_recv_param_t* param) {
  uint32_t sequence = 0;
  Endpoint* endpoint = ReceiverOf(header, header_length, &sequence);
  if (endpoint == nullptr) return UCS_OK;
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0 || length == 0 || length > kMaximumFrameBytes) {
    Violate(endpoint, Violation::kFrameTooLarge);
    return UCS_OK;
  }
  ucs_status_t status = UCS_OK;
  if (sequence != endpoint->expected_sequence) {
    const int32_t ahead = static_cast<int32_t>(sequence - endpoint->expected_sequence);
    if (ahead < 0 || endpoint->early_frames.size() >= kMaximumEarlyFrames || endpoint->early_frames.count(sequence) > 0) {
      Violate(endpoint, Violation::kTooManyHeldFrames);
      return UCS_OK;
    }
    endpoint->early_frames.emplace(sequence, Hold(data, length, param->recv_attr, &status));
    return status;
  }
  ++endpoint->expected_sequence;
  if (backlog_.empty() && HasRoomFor(length)) {
    Deliver(CompletionKind::kFrame, endpoint->id, data, length);
  } else {
    const Completion completion = {static_cast<int32_t>(CompletionKind::kFrame), endpoint->id, 0, 0, 0, 0, {}};
    backlog_.push_back({completion, Hold(data, length, param->recv_attr, &status)});
  }
  // Those that overtook this one follow it.
  while (!endpoint->early_frames.empty()) {
    auto next = endpoint->early_frames.find(endpoint->expected_sequence);
    if (next == endpoint->early_frames.end()) break;
    const Completion completion = {static_cast<int32_t>(CompletionKind::kFrame), endpoint->id, 0, 0, 0, 0, {}};
    backlog_.push_back({completion, std::move(next->second)});
    endpoint->early_frames.erase(next);
    ++endpoint->expected_sequence;
  }
  return status;
}

ucs_status_t Worker::OnHello(const void* header, size_t header_length, void* data, size_t length,
                             const ucp_am_recv_param_t* param) {
  HelloHeader hello;
  if (!ReadHeader(header, header_length, &hello) || length > kMaximumHelloBytes || length == 0) return UCS_OK;
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) return UCS_OK;
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) == 0) return UCS_OK;
  const auto found = endpoints_by_handle_.find(param->reply_ep);
  if (found == endpoints_by_handle_.end() || found->second->state != EndpointState::kOpen) return UCS_OK;
  Endpoint* endpoint = found->second;
  if (endpoint->has_received_hello) {
    Violate(endpoint, Violation::kRepeatedHello);
    return UCS_OK;
  }
  endpoint->has_received_hello = true;
  endpoint->remote_id = hello.sender;
  endpoint->remote_nonce = hello.sender_nonce;
  ucs_status_t status = UCS_OK;
  if (backlog_.empty() && HasRoomFor(length)) {
    Deliver(CompletionKind::kHello, endpoint->id, data, length);
  } else {
    const Completion completion = {static_cast<int32_t>(CompletionKind::kHello), endpoint->id, 0, 0, 0, 0, {}};
    backlog_.push_back({completion, Hold(data, length, param->recv_attr, &status)});
  }
  return status;
}

// ---- large messages

ucs_status_t Worker::OnTransfer(const void* header, size_t header_length, void* data, size_t length,
                                const ucp_am_recv_param_t* param) {
  uint32_t transfer = 0;
  Endpoint* endpoint = ReceiverOf(header, header_length, &transfer);
  if (endpoint == nullptr) return UCS_OK;
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0) {
    Violate(endpoint, Violation::kTransferLength);
    return UCS_OK;
  }
  const auto wanted = endpoint->wanted.find(transfer);
  if (wanted != endpoint->wanted.end()) {
    Operation* operation = wanted->second;
    endpoint->wanted.erase(wanted);
    if (operation->length != length) {
      Finish(operation, UCS_ERR_MESSAGE_TRUNCATED);
      Violate(endpoint, Violation::kTransferLength);
      return UCS_OK;
    }
    ReceiveTransfer(endpoint, operation, {data, length});
    return UCS_INPROGRESS;
  }
  // Dropping what it offers tells the peer that its memory is free.
  if (endpoint->unwanted.erase(transfer) > 0) return UCS_OK;
  if (endpoint->offered.size() >= kMaximumOffers) {
    Violate(endpoint, Violation::kTooManyTransfers);
    return UCS_OK;
  }
  if (!endpoint->offered.emplace(transfer, OfferedTransfer{data, length}).second) {
    Violate(endpoint, Violation::kRepeatedTransfer);
    return UCS_OK;
  }
  return UCS_INPROGRESS;
}

void Worker::StartReceive(Endpoint* endpoint, const Submission& submission, Operation* operation) {
  const auto transfer = static_cast<uint32_t>(submission.reference);
  const auto offer = endpoint->offered.find(transfer);
  if (offer == endpoint->offered.end()) {
    if (!endpoint->wanted.emplace(transfer, operation).second) Finish(operation, UCS_ERR_INVALID_PARAM);
    return;
  }
  const OfferedTransfer found = offer->second;
  endpoint->offered.erase(offer);
  if (found.length != operation->length) {
    ucx().ucp_am_data_release(handle_, found.descriptor);
    Finish(operation, UCS_ERR_MESSAGE_TRUNCATED);
    Violate(endpoint, Violation::kTransferLength);
    return;
  }
  ReceiveTransfer(endpoint, operation, found);
}

void Worker::Discard(Endpoint* endpoint, uint32_t transfer) {
  if (endpoint->state != EndpointState::kOpen) return;
  const auto offer = endpoint->offered.find(transfer);
  if (offer != endpoint->offered.end()) {
    ucx().ucp_am_data_release(handle_, offer->second.descriptor);
    endpoint->offered.erase(offer);
  } else if (endpoint->unwanted.size() < kMaximumOffers) {
    endpoint->unwanted.insert(transfer);
  } else {
    Violate(endpoint, Violation::kTooManyTransfers);
  }
}

void Worker::ReceiveTransfer(Endpoint* endpoint, Operation* operation, const OfferedTransfer& offer) {
  ucp_request_param_t param = {};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMH |
                       UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  param.cb.recv_am = ReceiveEnded;
  param.user_data = operation;
  param.memh = memory_.Find(operation->memory, 0, 0)->handle;
  Settle(operation, ucx().ucp_am_recv_data_nbx(handle_, offer.descriptor, operation->address, operation->length, &param));
}

// ---- what UCX calls

ucs_status_t Worker::FrameArrived(void* argument, const void* header, size_t header_length, void* data, size_t length,
                                  const ucp_am_recv_param_t* param) {
  auto* worker = static_cast<Worker*>(argument);
  return Guarded(worker, [&] { return worker->OnFrame(header, header_length, data, length, param); });
}

ucs_status_t Worker::HelloArrived(void* argument, const void* header, size_t header_length, void* data, size_t length,
                                  const ucp_am_recv_param_t* param) {
  auto* worker = static_cast<Worker*>(argument);
  return Guarded(worker, [&] { return worker->OnHello(header, header_length, data, length, param); });
}

ucs_status_t Worker::TransferArrived(void* argument, const void* header, size_t header_length, void* data,
                                     size_t length, const ucp_am_recv_param_t* param) {
  auto* worker = static_cast<Worker*>(argument);
  return Guarded(worker, [&] { return worker->OnTransfer(header, header_length, data, length, param); });
}

void Worker::ReceiveEnded(void* request, ucs_status_t status, size_t, void* argument) {
  auto* operation = static_cast<Operation*>(argument);
  Worker* worker = operation->worker;
  Guarded(worker, [&] {
    worker->Finish(operation, status);
    return UCS_OK;
  });
  worker->ucx().ucp_request_free(request);
}

}  // namespace heddle
