#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "connection_sockets.h"
#include "operation.h"
#include "ucx_library.h"

namespace heddle {

class Worker;

/** Bytes that arrived and wait: in UCX's own memory where it lets them be kept there, or in a copy. */
struct HeldBytes {
  void* descriptor = nullptr;
  std::vector<uint8_t> copy;
  size_t length = 0;
  const void* data() const { return descriptor != nullptr ? descriptor : copy.data(); }
};

/** The data of a large message that the peer offers, until its receiver says where it is to land. */
struct OfferedTransfer {
  void* descriptor;
  size_t length;
};

enum class EndpointState { kFree, kOpen, kFailed, kClosing, kClosed };

/** A wire to one peer. */
struct Endpoint {
  Worker* worker = nullptr;
  int32_t id = -1;
  EndpointState state = EndpointState::kFree;
  ucp_ep_h handle = nullptr;
  /** Of an endpoint that was made for a peer's request. */
  AcceptedPeer accepted_peer;
  /** Which of the peer's endpoints our messages are for, and the number that it has to hear with it. */
  uint32_t remote_id = 0;
  uint64_t remote_nonce = 0;
  uint64_t local_nonce = 0;
  bool has_sent_hello = false;
  bool has_received_hello = false;
  uint32_t next_sequence = 0;
  uint32_t expected_sequence = 0;
  /** Operations that have not completed. */
  uint32_t outstanding = 0;
  /** Frames that overtook others on another path of the wire, by their sequence. */
  std::map<uint32_t, HeldBytes> early_frames;
  std::unordered_map<uint32_t, OfferedTransfer> offered;
  /** Receives that wait for their data to be offered, by transfer. */
  std::unordered_map<uint32_t, Operation*> wanted;
  /** Transfers that the peer has not offered yet, and that nobody here wants. */
  std::unordered_set<uint32_t> unwanted;
  /** Operations that failed while UCX may still use their memory: they complete when the endpoint has closed. */
  std::vector<std::pair<Operation*, ucs_status_t>> failed_operations;
  std::vector<ucp_rkey_h> remote_keys;
};

}  // namespace heddle
