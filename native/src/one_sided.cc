#include "worker.h"

namespace heddle {

std::string Worker::PackKey(int32_t memory) {
  const MemoryTable::Region* region = memory_.Find(memory, 0, 0);
  if (region == nullptr) throw UcxError(UCS_ERR_INVALID_PARAM, "no memory is registered under that number");
  void* packed = nullptr;
  size_t length = 0;
  const ucs_status_t status = ucx().ucp_rkey_pack(context_->handle, region->handle, &packed, &length);
  if (status != UCS_OK) throw UcxError(status, "UCX cannot make a key for the memory");
  struct Release {
    const UcxLibrary& ucx;
    void* packed;
    ~Release() { ucx.ucp_rkey_buffer_release(packed); }
  } release{ucx(), packed};
  return std::string(static_cast<const char*>(packed), length);
}

int32_t Worker::UnpackKey(int32_t id, const std::string& packed) {
  Endpoint* endpoint = FindEndpoint(id);
  if (endpoint == nullptr || endpoint->state != EndpointState::kOpen) {
    throw UcxError(UCS_ERR_NOT_CONNECTED, "the connection has ended");
  }
  auto& keys = endpoint->remote_keys;
  size_t slot = 0;
  while (slot < keys.size() && keys[slot] != nullptr) ++slot;
  if (slot == keys.size()) keys.push_back(nullptr);
  const ucs_status_t status = ucx().ucp_ep_rkey_unpack(endpoint->handle, packed.data(), &keys[slot]);
  if (status != UCS_OK) {
    keys[slot] = nullptr;
    throw UcxError(status, "the peer's key cannot be used here");
  }
  return static_cast<int32_t>(slot);
}

void Worker::ReleaseKey(int32_t id, int32_t key) {
  Endpoint* endpoint = FindEndpoint(id);
  if (endpoint == nullptr || key < 0 || static_cast<size_t>(key) >= endpoint->remote_keys.size()) return;
  ucp_rkey_h& handle = endpoint->remote_keys[key];
  if (handle != nullptr) ucx().ucp_rkey_destroy(handle);
  handle = nullptr;
}

void Worker::StartOneSided(Endpoint* endpoint, const Submission& submission, Operation* operation) {
  ucp_request_param_t param = {};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = SendEnded;
  param.user_data = operation;
  const auto kind = static_cast<SubmissionKind>(submission.kind);
  if (kind == SubmissionKind::kFlush) {
    Settle(operation, ucx().ucp_ep_flush_nbx(endpoint->handle, &param));
    return;
  }
  const auto& keys = endpoint->remote_keys;
  const bool has_key = submission.reference >= 0 && static_cast<size_t>(submission.reference) < keys.size() &&
                       keys[submission.reference] != nullptr;
  if (!has_key || !context_->one_sided) {
    Finish(operation, has_key ? UCS_ERR_UNSUPPORTED : UCS_ERR_INVALID_PARAM);
    return;
  }
  ucp_rkey_h key = keys[submission.reference];
  const uint64_t remote = submission.remote_address;
  param.op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
  param.memh = memory_.Find(operation->memory, 0, 0)->handle;
  if (kind == SubmissionKind::kPut) {
    Settle(operation, ucx().ucp_put_nbx(endpoint->handle, operation->address, operation->length, remote, key, &param));
  } else if (kind == SubmissionKind::kGet) {
    Settle(operation, ucx().ucp_get_nbx(endpoint->handle, operation->address, operation->length, remote, key, &param));
  } else {
    Finish(operation, UCS_ERR_INVALID_PARAM);
  }
}

}  // namespace heddle
