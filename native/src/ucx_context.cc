#include "ucx_context.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "memory_stream.h"

namespace heddle {

UcxContext::UcxContext(const UcxLibrary& library, bool with_one_sided) : ucx(library), one_sided(with_one_sided) {
  ucp_config_t* config = nullptr;
  ucs_status_t status = ucx.ucp_config_read(nullptr, nullptr, &config);
  if (status != UCS_OK) throw UcxError(status, "UCX could not read its configuration from the environment");
  // Unreliable datagrams abort the process in UCX 1.13, and nothing here needs them: connections are set up by listeners.
  if (std::getenv("UCX_TLS") == nullptr) ucx.ucp_config_modify(config, "TLS", "^ud_verbs");

  ucp_params_t params = {};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  // With this UCX answers one-sided operations also in software, at any address that a peer names: see Acquire.
  if (one_sided) params.features |= UCP_FEATURE_RMA;
  params.mt_workers_shared = 1;
  status = ucx.ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &handle);
  ucx.ucp_config_release(config);
  if (status != UCS_OK) throw UcxError(status, "UCX could not start; do the UCX_ variables name devices that exist?");
}

UcxContext::~UcxContext() { ucx.ucp_cleanup(handle); }

std::shared_ptr<UcxContext> UcxContext::Acquire(bool one_sided) {
  static std::mutex mutex;
  static std::weak_ptr<UcxContext> shared;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<UcxContext> context = shared.lock();
  if (context == nullptr) {
    const UcxLibrary& ucx = UcxLibrary::Get();
    context.reset(new UcxContext(ucx, one_sided));
    // Whatever cannot be carried out by a device UCX carries out in software. Without one nothing could, and no peer shall.
    if (one_sided && !context->HasMemoryDevice()) context.reset(new UcxContext(ucx, false));
    shared = context;
  }
  return context;
}

std::string UcxContext::Describe() const {
  MemoryStream stream;
  ucx.ucp_context_print_info(handle, stream.file());
  return stream.Take();
}

bool UcxContext::HasMemoryDevice() const {
  // As in "resource 3  :  md 4  dev 2  flags -- rc_verbs/rxe0:1": only such transports, and only of ports that are up.
  const std::string resources = Describe();
  for (const char* transport : {" rc_", " dc_"}) {
    if (resources.find(transport) != std::string::npos) return true;
  }
  return false;
}

}  // namespace heddle
