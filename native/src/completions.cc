#include <cstring>

#include "worker.h"

namespace heddle {
namespace {

/** Records lie on multiples of this. */
constexpr size_t kAlignment = 8;

}  // namespace

bool Worker::HasRoomFor(size_t length) const {
  return collecting_ && completion_count_ < queues_.completion_capacity &&
         area_used_ + length <= queues_.receive_area_bytes;
}

void Worker::Deliver(CompletionKind kind, int32_t endpoint, const void* data, size_t length) {
  if (length > 0) std::memcpy(queues_.receive_area + area_used_, data, length);
  Completion& completion = queues_.completions[completion_count_++];
  completion = {static_cast<int32_t>(kind), endpoint, 0, 0, static_cast<int32_t>(area_used_), static_cast<int32_t>(length), {}};
  area_used_ += (length + kAlignment - 1) & ~(kAlignment - 1);
}

void Worker::Tell(CompletionKind kind, int32_t endpoint, int32_t tag, int32_t status) {
  if (is_ending_) return;
  const Completion completion = {static_cast<int32_t>(kind), endpoint, tag, status, 0, 0, {}};
  if (backlog_.empty() && HasRoomFor(0)) queues_.completions[completion_count_++] = completion;
  else backlog_.push_back({completion, {}});
  if (kind == CompletionKind::kClosed && backlog_.empty()) closed_told_.push_back(endpoint);
}

void Worker::DrainBacklog() {
  while (!backlog_.empty()) {
    Waiting& waiting = backlog_.front();
    if (!HasRoomFor(waiting.bytes.length)) return;
    const auto kind = static_cast<CompletionKind>(waiting.completion.kind);
    if (waiting.bytes.length > 0) {
      Deliver(kind, waiting.completion.endpoint, waiting.bytes.data(), waiting.bytes.length);
      Drop(&waiting.bytes);
    } else {
      queues_.completions[completion_count_++] = waiting.completion;
      if (kind == CompletionKind::kClosed) closed_told_.push_back(waiting.completion.endpoint);
    }
    backlog_.pop_front();
  }
}

HeldBytes Worker::Hold(void* data, size_t length, uint64_t attributes, ucs_status_t* status) {
  HeldBytes held;
  held.length = length;
  if ((attributes & UCP_AM_RECV_ATTR_FLAG_DATA) != 0) {
    held.descriptor = data;
    *status = UCS_INPROGRESS;
  } else {
    const auto* bytes = static_cast<const uint8_t*>(data);
    held.copy.assign(bytes, bytes + length);
  }
  return held;
}

void Worker::Drop(HeldBytes* held) {
  if (held->descriptor != nullptr) ucx().ucp_am_data_release(handle_, held->descriptor);
  held->descriptor = nullptr;
}

}  // namespace heddle
