#pragma once

#include <sys/socket.h>

#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "endpoint.h"
#include "memory_table.h"
#include "operation.h"
#include "queues.h"
#include "ucx_context.h"

namespace heddle {

/** Memory that the script and the worker share. It outlives the worker. */
struct SharedQueues {
  Submission* submissions;
  size_t submission_capacity;
  Completion* completions;
  size_t completion_capacity;
  uint8_t* receive_area;
  size_t receive_area_bytes;
};

/**
 * One thread's share of UCX: its endpoints, its listeners, and everything that is under way on them. Knows nothing of
 * JavaScript. All calls come from the thread that made it.
 */
class Worker {
 public:
  Worker(std::shared_ptr<UcxContext> context, const SharedQueues& queues);
  /** Ends every endpoint and waits, a bounded time, until UCX has let go of their memory. */
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const UcxLibrary& ucx() const { return context_->ucx; }
  const UcxContext& context() const { return *context_; }
  /** Readable when something has happened to a worker that was armed. */
  int event_descriptor() const { return event_descriptor_; }
  MemoryTable& memory() { return memory_; }

  /** Listens, and returns the number of the listener. @throws UcxError */
  int32_t Listen(const sockaddr* address, socklen_t length);
  /** Where the listener is bound. */
  sockaddr_storage ListenerAddress(int32_t listener) const;
  void CloseListener(int32_t listener);
  /** Begins to connect, and returns the number of the endpoint. @throws UcxError */
  int32_t Connect(const sockaddr* address, socklen_t length);

  /**
   * Starts the first `count` submissions, lets UCX work, and fills the completions from the beginning. What the
   * completions of the call before pointed to is overwritten. Returns how many completions there are; `kMovedOnly` when
   * there are none but UCX had something to do: parts of a large message, say.
   */
  ptrdiff_t Exchange(size_t count);
  static constexpr ptrdiff_t kMovedOnly = -1;
  /** Starts the first `count` submissions only. Returns how many completions the next exchange has at the least. */
  size_t Submit(size_t count);
  /** True when nothing has happened: the event descriptor tells when something does. */
  bool Arm();

  std::string DescribeEndpoint(int32_t endpoint) const;
  sockaddr_storage EndpointAddress(int32_t endpoint, bool of_peer) const;

  // ---- one-sided (one_sided.cc)

  /** What a peer needs to reach the memory. @throws UcxError */
  std::string PackKey(int32_t memory);
  /** Takes a peer's key, and returns its number at that endpoint. @throws UcxError */
  int32_t UnpackKey(int32_t endpoint, const std::string& packed);
  void ReleaseKey(int32_t endpoint, int32_t key);

 private:
  struct Listener {
    Worker* worker;
    int32_t id;
    ucp_listener_h handle;
  };

  // ---- endpoints (endpoint.cc)
  Endpoint* AllocateEndpoint();
  Endpoint* FindEndpoint(int32_t id) const;
  Endpoint* Open(ucp_ep_params_t* params);
  void OnConnectionRequest(Listener* listener, ucp_conn_request_h request);
  void OnEndpointError(Endpoint* endpoint, ucs_status_t status);
  void BeginClose(Endpoint* endpoint);
  void CloseNow(Endpoint* endpoint);
  void OnEndpointClosed(Endpoint* endpoint);
  void DropHeld(Endpoint* endpoint);
  void CloseEverything() noexcept;

  // ---- sending (worker.cc)
  void Start(const Submission& submission);
  void StartSend(Endpoint* endpoint, const Submission& submission, Operation* operation, unsigned id, unsigned flags);
  void StartReceive(Endpoint* endpoint, const Submission& submission, Operation* operation);
  void StartOneSided(Endpoint* endpoint, const Submission& submission, Operation* operation);
  /** What a call of UCX returned for an operation. */
  void Settle(Operation* operation, ucs_status_ptr_t returned);
  void Finish(Operation* operation, ucs_status_t status);
  void Complete(Operation* operation, ucs_status_t status);

  // ---- receiving (receiver.cc)
  ucs_status_t OnFrame(const void* header, size_t header_length, void* data, size_t length, const ucp_am_recv_param_t* param);
  ucs_status_t OnHello(const void* header, size_t header_length, void* data, size_t length, const ucp_am_recv_param_t* param);
  ucs_status_t OnTransfer(const void* header, size_t header_length, void* data, size_t length, const ucp_am_recv_param_t* param);
  Endpoint* ReceiverOf(const void* header, size_t header_length, uint32_t* number);
  void Discard(Endpoint* endpoint, uint32_t transfer);
  void ReceiveTransfer(Endpoint* endpoint, Operation* operation, const OfferedTransfer& offer);
  void Violate(Endpoint* endpoint, Violation violation);
  void SetHandler(unsigned id, ucp_am_recv_callback_t callback);
  HeldBytes Hold(void* data, size_t length, uint64_t attributes, ucs_status_t* status);
  void Drop(HeldBytes* held);

  // ---- completions (completions.cc)
  /** Whether bytes can go to the receive area now, with a completion that tells of them. */
  bool HasRoomFor(size_t length) const;
  void Deliver(CompletionKind kind, int32_t endpoint, const void* data, size_t length);
  void Tell(CompletionKind kind, int32_t endpoint, int32_t tag, int32_t status);
  void DrainBacklog();

  /** UCX is C: an exception must not go through it. The exchange that let UCX work throws it on. */
  template <typename Body>
  static ucs_status_t Guarded(Worker* worker, Body body) noexcept {
    try {
      return body();
    } catch (...) {
      worker->failure_ = std::current_exception();
      return UCS_OK;
    }
  }

  static ucs_status_t FrameArrived(void*, const void*, size_t, void*, size_t, const ucp_am_recv_param_t*);
  static ucs_status_t HelloArrived(void*, const void*, size_t, void*, size_t, const ucp_am_recv_param_t*);
  static ucs_status_t TransferArrived(void*, const void*, size_t, void*, size_t, const ucp_am_recv_param_t*);
  static void SendEnded(void* request, ucs_status_t status, void* operation);
  static void ReceiveEnded(void* request, ucs_status_t status, size_t length, void* operation);
  static void CloseEnded(void* request, ucs_status_t status, void* endpoint);
  static void ConnectionRequested(ucp_conn_request_h request, void* listener);
  static void EndpointFailed(void* endpoint, ucp_ep_h handle, ucs_status_t status);

  /** A completion that found no room, with its bytes if it has any. */
  struct Waiting {
    Completion completion;
    HeldBytes bytes;
  };

  const std::shared_ptr<UcxContext> context_;
  const SharedQueues queues_;
  MemoryTable memory_;
  OperationPool operations_;
  ucp_worker_h handle_ = nullptr;
  int event_descriptor_ = -1;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<int32_t> free_endpoints_;
  /** Endpoints whose end the script has been told of in the last exchange: their numbers are free at the next. */
  std::vector<int32_t> closed_told_;
  std::unordered_map<ucp_ep_h, Endpoint*> endpoints_by_handle_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  size_t completion_count_ = 0;
  size_t area_used_ = 0;
  std::deque<Waiting> backlog_;
  /** An exception that a callback of UCX met, thrown on by the exchange. */
  std::exception_ptr failure_;
  /** An exchange is under way: completions can be filled in. */
  bool collecting_ = false;
  /** The script is gone: nobody is told anything any more. */
  bool is_ending_ = false;
};

}  // namespace heddle
