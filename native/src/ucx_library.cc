#include "ucx_library.h"

#include <dlfcn.h>
#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>

namespace heddle {
namespace {

constexpr unsigned kOldestMajor = 1;
constexpr unsigned kOldestMinor = 13;
/** From here on UCX forgets what it noted of a descriptor when it closes it. */
constexpr unsigned kMinorWithSafeDescriptors = 18;

/** Functions are bound when they are first called: by then they may be found elsewhere, see StandInFront. */
void* OpenLibrary(const char* name) {
  void* handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) throw UcxUnavailable(dlerror());
  return handle;
}

template <typename Function>
void Find(void* handle, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(handle, name));
  if (*function == nullptr) throw UcxUnavailable(std::string("this UCX is too old, it lacks ") + name);
}

/** Whether the user has asked for UCX's shared memory between processes, by one of its names. */
bool WantsSharedMemory() {
  const char* transports = std::getenv("UCX_TLS");
  if (transports == nullptr || transports[0] == '^') return false;
  std::istringstream names(transports);
  for (std::string name; std::getline(names, name, ',');) {
    for (const char* known : {"sm", "shm", "mm", "sysv", "posix"}) {
      if (name == known) return true;
    }
  }
  return false;
}

/** Whether a child gets copies of pages that a device reaches, and the process keeps them: Linux from 5.12 on. */
bool KernelCopiesPinnedPages() {
  utsname system = {};
  int major = 0;
  int minor = 0;
  if (uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 12);
}

/**
 * Has to stand before the library is loaded: its constructor reads it.
 * - Signal handlers of UCX would end the process where V8 expects to turn a trap of WebAssembly into an exception.
 * - The memory hooks patch mmap and munmap in the running process. Memory is registered by hand here, so nothing needs them.
 * - Messages of UCX go to the program's standard output. What matters is reported as coded errors.
 */
void PrepareEnvironment() {
  setenv("UCX_ERROR_SIGNALS", "", 1);
  setenv("UCX_HANDLE_ERRORS", "none", 1);
  setenv("UCX_MEM_EVENTS", "n", 1);
  setenv("UCX_MEM_MMAP_HOOK_MODE", "none", 1);
  // A portal can be opened again at once at an address where one was closed.
  setenv("UCX_CM_REUSEADDR", "y", 0);
  // Ending an endpoint in the middle of a put over TCP aborts the process in UCX 1.13.
  setenv("UCX_TCP_PUT_ENABLE", "n", 0);
  // Without puts large messages go in fragments of this size, and each costs calls of the system on both sides. Room for
  // UCX's headers is part of it: of 512K, 1 MiB would need two and a third of 53 bytes. Both sides need the same: to change
  // it is to change the version of the protocol (src/transports/frame.ts).
  setenv("UCX_TCP_RX_SEG_SIZE", "520K", 0);
  setenv("UCX_LOG_LEVEL", "fatal", 0);
  // Pages that a device reaches are otherwise kept from children of the process. Where such a page is one of malloc's, starting a
  // program fails now and then, since its name or its arguments lie there.
  if (KernelCopiesPinnedPages()) setenv("UCX_IB_FORK_INIT", "n", 0);
  if (WantsSharedMemory()) {
    // Otherwise UCX takes it for a wire that cannot tell of a lost peer, and leaves it out. The socket by which the
    // connection was made tells as well.
    setenv("UCX_SYSV_ERROR_HANDLING", "y", 0);
    setenv("UCX_POSIX_ERROR_HANDLING", "y", 0);
  }
  setenv("UCX_WARN_UNUSED_ENV_VARS", "n", 0);
}

/**
 * Puts ../descriptors/descriptors.cc, which is built beside this binding, in front of UCX. Without it UCX works as it
 * always does.
 */
void StandInFront(void* ucs, bool keep_apart) {
  Dl_info binding = {};
  if (dladdr(reinterpret_cast<void*>(&StandInFront), &binding) == 0 || binding.dli_fname == nullptr) return;
  const std::string path(binding.dli_fname);
  const std::string beside = path.substr(0, path.rfind('/') + 1) + "heddle_descriptors.node";
  void* create = dlsym(ucs, "ucs_socket_create");
  void* accept = dlsym(ucs, "ucs_socket_accept");
  void* send = dlsym(ucs, "ucs_socket_sendv_nb");
  void* library = dlopen(beside.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr || create == nullptr || accept == nullptr || send == nullptr) return;
  const auto start = reinterpret_cast<void (*)(void*, void*, void*, bool)>(dlsym(library, "heddle_descriptors_start"));
  if (start == nullptr) return;
  start(create, accept, send, keep_apart);
  // It knows where to go on: now its functions may be found.
  dlopen(beside.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

UcxLibrary* Load() {
  PrepareEnvironment();
  static UcxLibrary library;
  void* ucp = OpenLibrary("libucp.so.0");
  void* ucs = OpenLibrary("libucs.so.0");
#define HEDDLE_FIND(name) Find(ucp, #name, &library.name);
  HEDDLE_UCP_FUNCTIONS(HEDDLE_FIND)
#undef HEDDLE_FIND
  Find(ucs, "ucs_status_string", &library.ucs_status_string);
  Find(ucs, "ucs_async_remove_handler", &library.ucs_async_remove_handler);
  unsigned release = 0;
  library.ucp_get_version(&library.major, &library.minor, &release);
  if (library.major != kOldestMajor || library.minor < kOldestMinor) {
    throw UcxUnavailable(std::string("UCX ") + library.ucp_get_version_string() + " was found, and 1.13 or newer is needed");
  }
  StandInFront(ucs, library.minor < kMinorWithSafeDescriptors);
  return &library;
}

}  // namespace

const UcxLibrary& UcxLibrary::Get() {
  static std::mutex mutex;
  static UcxLibrary* loaded = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  // A failure is not remembered: the library may be installed while the process runs.
  if (loaded == nullptr) loaded = Load();
  return *loaded;
}

}  // namespace heddle
