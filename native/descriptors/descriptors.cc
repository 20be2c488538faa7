/**
 * Stands in front of functions by which UCX uses sockets: it works by the order in which the loader looks for functions, global
 * ones first. Where UCX was bound before, it has no effect. See ucx_library.cc for when it is loaded.
 *
 * UCX before 1.18 notes an event that it cannot handle at once by the number of its descriptor, in a list of the worker whose
 * descriptor it is. When the worker has closed the descriptor by the time it looks, and another worker of the process has
 * opened one that the kernel gave the same number, UCX aborts the process (async.c: `handler->async == async`). The kernel
 * always gives the lowest free number, that is, the one that was just closed.
 *
 * So each socket that UCX makes is moved to the next number of a long row: one is used again when thousands of others have been.
 *
 * UCX, up to 1.22 at least, ends the sending of a large message twice when a send says that the peer is gone, and aborts the process
 * (tcp_ep.c, uct_tcp_ep_sendv; uct_iface.h: `comp->count > 0`). When a receive says so first it does not. Each of its
 * connections is received from always. So a send that fails is one that sends nothing for now.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <ucs/type/status.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#define HEDDLE_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using CreateFunction = ucs_status_t (*)(int, int, int*);
using AcceptFunction = ucs_status_t (*)(int, sockaddr*, socklen_t*, int*);
using SendFunction = ucs_status_t (*)(int, iovec*, size_t, size_t*);

/** Below lie the descriptors of everybody else, and what select() can watch. */
constexpr int kFirstNumber = 1024;
/** The kernel's table grows to the highest number in use, by 8 bytes for each. */
constexpr int kNumbers = 32768;

CreateFunction create_socket;
AcceptFunction accept_socket;
SendFunction send_pieces;
int first_number;
int numbers;
std::atomic<unsigned> next_number{0};

void MoveToNextNumber(int* descriptor) {
  if (numbers <= 0) return;
  const int wanted = first_number + static_cast<int>(next_number.fetch_add(1, std::memory_order_relaxed) % numbers);
  // As it was made it would be inherited by every process that the program starts, and stay open there.
  const int moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, wanted);
  if (moved < 0) return;
  close(*descriptor);
  *descriptor = moved;
}

}  // namespace

/** Tells where UCX's own functions are, and whether to keep numbers apart. Has to be called before they can be found here. */
HEDDLE_EXPORT void heddle_descriptors_start(CreateFunction create, AcceptFunction accept, SendFunction send, bool keep_apart) {
  create_socket = create;
  accept_socket = accept;
  send_pieces = send;
  rlimit limit = {};
  if (!keep_apart || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kFirstNumber + kNumbers));
  first_number = std::min(kFirstNumber, end / 2);
  numbers = end - first_number;
}

HEDDLE_EXPORT ucs_status_t ucs_socket_create(int domain, int type, int* descriptor) {
  const ucs_status_t status = create_socket(domain, type, descriptor);
  if (status == UCS_OK) MoveToNextNumber(descriptor);
  return status;
}

HEDDLE_EXPORT ucs_status_t ucs_socket_accept(int listener, sockaddr* address, socklen_t* length, int* descriptor) {
  const ucs_status_t status = accept_socket(listener, address, length, descriptor);
  if (status == UCS_OK) MoveToNextNumber(descriptor);
  return status;
}

HEDDLE_EXPORT ucs_status_t ucs_socket_sendv_nb(int descriptor, iovec* pieces, size_t count, size_t* sent_bytes) {
  const ucs_status_t status = send_pieces(descriptor, pieces, count, sent_bytes);
  if (status == UCS_OK || status == UCS_ERR_NO_PROGRESS) return status;
  *sent_bytes = 0;
  return UCS_ERR_NO_PROGRESS;
}
