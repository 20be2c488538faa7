#pragma once

#include <sys/socket.h>

#include <string>

#include "ucx_library.h"

namespace heddle {

/**
 * UCX makes connections by sockets of its own. Those that it has accepted, and on which the peer has not said yet what it
 * wants, keep a pointer to their listener: when a listener is destroyed, and then the peer speaks, UCX calls what is gone
 * (in every version up to 1.22). So a listener is not destroyed before nobody listens to those sockets any more.
 */

/** An accepted connection that UCX has handed over: its socket is an endpoint's now, in whatever thread. */
class AcceptedPeer {
 public:
  AcceptedPeer() = default;
  explicit AcceptedPeer(const sockaddr_storage& peer);
  ~AcceptedPeer() { Forget(); }
  AcceptedPeer(const AcceptedPeer&) = delete;
  AcceptedPeer& operator=(AcceptedPeer&& other) noexcept;

 private:
  void Forget();

  std::string name_;
};

/**
 * Lets UCX accept nobody any more where it listens, and ends the accepted connections that it has not handed over. What is
 * left to do is to destroy the listener. Without effect where no socket listens, but a device.
 */
void StopAccepting(const UcxLibrary& ucx, const sockaddr_storage& listening);

}  // namespace heddle
