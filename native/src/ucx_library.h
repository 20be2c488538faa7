#pragma once

#include <ucp/api/ucp.h>

#include <stdexcept>
#include <string>

namespace heddle {

/** UCX cannot be used; the message says why. */
class UcxUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/** A call into UCX failed. */
class UcxError : public std::runtime_error {
 public:
  UcxError(ucs_status_t status, const std::string& what) : std::runtime_error(what), status(status) {}
  const ucs_status_t status;
};

#define HEDDLE_UCP_FUNCTIONS(X)    \
  X(ucp_get_version)               \
  X(ucp_get_version_string)        \
  X(ucp_config_read)               \
  X(ucp_config_modify)             \
  X(ucp_config_release)            \
  X(ucp_init_version)              \
  X(ucp_cleanup)                   \
  X(ucp_context_print_info)        \
  X(ucp_worker_create)             \
  X(ucp_worker_destroy)            \
  X(ucp_worker_get_efd)            \
  X(ucp_worker_arm)                \
  X(ucp_worker_progress)           \
  X(ucp_worker_set_am_recv_handler) \
  X(ucp_listener_create)           \
  X(ucp_listener_destroy)          \
  X(ucp_listener_query)            \
  X(ucp_listener_reject)           \
  X(ucp_conn_request_query)        \
  X(ucp_ep_create)                 \
  X(ucp_ep_close_nbx)              \
  X(ucp_ep_flush_nbx)              \
  X(ucp_ep_query)                  \
  X(ucp_ep_print_info)             \
  X(ucp_am_send_nbx)               \
  X(ucp_am_recv_data_nbx)          \
  X(ucp_am_data_release)           \
  X(ucp_mem_map)                   \
  X(ucp_mem_unmap)                 \
  X(ucp_rkey_pack)                 \
  X(ucp_rkey_buffer_release)       \
  X(ucp_ep_rkey_unpack)            \
  X(ucp_rkey_destroy)              \
  X(ucp_put_nbx)                   \
  X(ucp_get_nbx)                   \
  X(ucp_request_free)

/**
 * UCX's functions, found at run time: one build of the binding serves hosts with UCX and without it, and every version
 * from 1.13 on. Loaded once and never unloaded, since UCX has threads of its own.
 */
struct UcxLibrary {
#define HEDDLE_DECLARE(name) decltype(&::name) name = nullptr;
  HEDDLE_UCP_FUNCTIONS(HEDDLE_DECLARE)
#undef HEDDLE_DECLARE
  const char* (*ucs_status_string)(ucs_status_t) = nullptr;
  /** No event of the descriptor is handled any more. `is_sync` waits for one that is. */
  ucs_status_t (*ucs_async_remove_handler)(int descriptor, int is_sync) = nullptr;

  unsigned major = 0;
  unsigned minor = 0;

  /** Loads UCX on the first call, from any thread. @throws UcxUnavailable */
  static const UcxLibrary& Get();

  std::string StatusText(ucs_status_t status) const { return ucs_status_string(status); }
};

}  // namespace heddle
