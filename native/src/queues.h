#pragma once

#include <cstddef>
#include <cstdint>

/**
 * What script and binding say to each other, in memory that both see: src/transports/rdma/queues.ts has the same layout.
 * Each exchange takes all submissions and fills the completions from the beginning, so neither needs positions.
 */
namespace heddle {

enum class SubmissionKind : int32_t {
  kFrame = 1,
  kHello = 2,
  kSendBuffer = 3,
  kReceiveBuffer = 4,
  kClose = 5,
  kPut = 6,
  kGet = 7,
  kFlush = 8,
  kDiscard = 9,
};

/** One submission: 16 words. Fields that its kind has no use for are ignored. */
struct Submission {
  int32_t kind;
  int32_t endpoint;
  /** Comes back in the completion. */
  int32_t tag;
  int32_t memory;
  int32_t offset;
  int32_t length;
  /** The transfer, or the remote key. */
  int32_t reference;
  int32_t reserved;
  uint64_t remote_address;
  uint64_t reserved2[3];
};
static_assert(sizeof(Submission) == 64, "queues.ts counts on it");

enum class CompletionKind : int32_t {
  kFrame = 1,
  kDone = 2,
  kHello = 3,
  kAccepted = 4,
  kFailed = 5,
  kClosed = 6,
  kViolation = 7,
};

/** What a peer did that it must not do. */
enum class Violation : int32_t {
  kFrameTooLarge = 1,
  kTooManyHeldFrames = 2,
  kTooManyTransfers = 3,
  kRepeatedTransfer = 4,
  kTransferLength = 5,
  kRepeatedHello = 6,
};

/** One completion: 8 words. */
struct Completion {
  int32_t kind;
  int32_t endpoint;
  /** Of the submission; of an accepted endpoint its listener; of a violation which one. */
  int32_t tag;
  /** 0, or a negative status of UCX. */
  int32_t status;
  /** Where in the receive area the bytes lie. */
  int32_t offset;
  int32_t length;
  int32_t reserved[2];
};
static_assert(sizeof(Completion) == 32, "queues.ts counts on it");

}  // namespace heddle
