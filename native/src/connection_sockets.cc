#include "connection_sockets.h"

#include <dirent.h>
#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace heddle {
namespace {

/** Address and port, comparable; empty for what has none. `any_host` leaves the address out. */
std::string NameOf(const sockaddr_storage& address, bool any_host = false) {
  const void* host = nullptr;
  size_t length = 0;
  in_port_t port = 0;
  if (address.ss_family == AF_INET) {
    const auto& internet = reinterpret_cast<const sockaddr_in&>(address);
    host = &internet.sin_addr;
    length = sizeof(internet.sin_addr);
    port = internet.sin_port;
  } else if (address.ss_family == AF_INET6) {
    const auto& internet = reinterpret_cast<const sockaddr_in6&>(address);
    host = &internet.sin6_addr;
    length = sizeof(internet.sin6_addr);
    port = internet.sin6_port;
  } else {
    return {};
  }
  std::string name(reinterpret_cast<const char*>(&port), sizeof(port));
  if (!any_host) name.append(static_cast<const char*>(host), length);
  return name;
}

bool IsAnyHost(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY;
  const auto& internet = reinterpret_cast<const sockaddr_in6&>(address);
  return address.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&internet.sin6_addr);
}

struct AcceptedPeers {
  std::mutex mutex;
  std::unordered_multiset<std::string> names;
};

AcceptedPeers& Peers() {
  // Never destroyed: threads may outlive the end of main.
  static auto* peers = new AcceptedPeers();
  return *peers;
}

/** Descriptors of the process that are sockets at that address: listening ones, or connected ones. */
std::vector<int> SocketsAt(const sockaddr_storage& wanted, bool listening) {
  const bool any_host = IsAnyHost(wanted);
  const std::string wanted_name = NameOf(wanted, any_host && !listening);
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder.get())) {
    char* end = nullptr;
    const int descriptor = static_cast<int>(std::strtol(entry->d_name, &end, 10));
    if (end == entry->d_name) continue;
    int is_listening = 0;
    socklen_t length = sizeof(is_listening);
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) != 0) continue;
    sockaddr_storage local = {};
    length = sizeof(local);
    if ((is_listening != 0) != listening) continue;
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &length) != 0) continue;
    if (NameOf(local, any_host && !listening) == wanted_name) found.push_back(descriptor);
  }
  return found;
}

}  // namespace

AcceptedPeer::AcceptedPeer(const sockaddr_storage& peer) : name_(NameOf(peer)) {
  if (name_.empty()) return;
  const std::lock_guard<std::mutex> lock(Peers().mutex);
  Peers().names.insert(name_);
}

AcceptedPeer& AcceptedPeer::operator=(AcceptedPeer&& other) noexcept {
  Forget();
  name_.swap(other.name_);
  return *this;
}

void AcceptedPeer::Forget() {
  if (name_.empty()) return;
  const std::lock_guard<std::mutex> lock(Peers().mutex);
  const auto found = Peers().names.find(name_);
  if (found != Peers().names.end()) Peers().names.erase(found);
  name_.clear();
}

void StopAccepting(const UcxLibrary& ucx, const sockaddr_storage& listening) {
  // Each call returns when UCX's thread has left the handler, so what it accepted is there to be found.
  for (const int descriptor : SocketsAt(listening, true)) ucx.ucs_async_remove_handler(descriptor, 1);
  const std::lock_guard<std::mutex> lock(Peers().mutex);
  for (const int descriptor : SocketsAt(listening, false)) {
    sockaddr_storage peer = {};
    socklen_t length = sizeof(peer);
    // A socket whose peer has gone has nothing to say any more.
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) != 0) continue;
    if (Peers().names.count(NameOf(peer)) > 0) continue;
    // The descriptor is UCX's, which closes it with its worker; the peer learns at once.
    ucx.ucs_async_remove_handler(descriptor, 1);
    shutdown(descriptor, SHUT_RDWR);
  }
}

}  // namespace heddle
