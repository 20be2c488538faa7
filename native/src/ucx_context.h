#pragma once

#include <memory>
#include <string>

#include "ucx_library.h"

namespace heddle {

/** The UCX context of the process, shared by the workers of all threads; it ends with the last of them. */
class UcxContext {
 public:
  /**
   * The process's context, made on first use. `one_sided` counts then, and where there is a device that reaches memory.
   * @throws UcxError, UcxUnavailable
   */
  static std::shared_ptr<UcxContext> Acquire(bool one_sided);
  ~UcxContext();
  UcxContext(const UcxContext&) = delete;
  UcxContext& operator=(const UcxContext&) = delete;

  const UcxLibrary& ucx;
  ucp_context_h handle = nullptr;
  /** Whether UCX was started with one-sided operations. */
  const bool one_sided;

  /** What UCX says of its devices and transports. */
  std::string Describe() const;

 private:
  UcxContext(const UcxLibrary& ucx, bool one_sided);
  /** Whether UCX may use a device that reads and writes memory by itself. */
  bool HasMemoryDevice() const;
};

}  // namespace heddle
