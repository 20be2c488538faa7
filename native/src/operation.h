#pragma once

#include <cstdint>
#include <deque>

#include "ucx_library.h"

namespace heddle {

class Worker;

/** What goes ahead of a frame's or a transfer's bytes. Names the receiving endpoint by what only its peer was told. */
struct MessageHeader {
  uint32_t receiver;
  /** Of a frame: its place in the order. Of a transfer: its number. */
  uint32_t number;
  uint64_t nonce;
};
static_assert(sizeof(MessageHeader) == 16, "it is the protocol");

/** What goes ahead of a hello. */
struct HelloHeader {
  uint32_t sender;
  /** 0 from the side that connects, 1 in the answer. */
  uint32_t is_answer;
  uint64_t sender_nonce;
};
static_assert(sizeof(HelloHeader) == 16, "it is the protocol");

/** Something that UCX does for the script. Lives until UCX has called back: it keeps the header that UCX reads from. */
struct Operation {
  Worker* worker;
  int32_t endpoint;
  int32_t tag;
  /** Registered memory that it works on; -1 for none. */
  int32_t memory;
  size_t length;
  uint8_t* address;
  union {
    MessageHeader message;
    HelloHeader hello;
  };
  Operation* next_free;
};

/** Operations are used again and again. */
class OperationPool {
 public:
  Operation* Take() {
    if (free_ == nullptr) {
      all_.emplace_back();
      return &all_.back();
    }
    Operation* operation = free_;
    free_ = operation->next_free;
    return operation;
  }
  void Give(Operation* operation) {
    operation->next_free = free_;
    free_ = operation;
  }

 private:
  std::deque<Operation> all_;
  Operation* free_ = nullptr;
};

}  // namespace heddle
