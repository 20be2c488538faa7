#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ucx_context.h"

namespace heddle {

/** Memory of the script's that UCX may read and write: registered once, used by its number. */
class MemoryTable {
 public:
  struct Region {
    uint8_t* base;
    size_t length;
    ucp_mem_h handle;
    /** Operations that work on it: it is let go of only when there are none. */
    uint32_t uses = 0;
    bool is_doomed = false;
  };

  explicit MemoryTable(std::shared_ptr<UcxContext> context) : context_(std::move(context)) {}
  ~MemoryTable();
  MemoryTable(const MemoryTable&) = delete;
  MemoryTable& operator=(const MemoryTable&) = delete;

  /** @throws UcxError */
  int32_t Register(uint8_t* base, size_t length);
  /** Ends the registration, at once or with the last operation. False when nothing has that number. */
  bool Unregister(int32_t id);
  /** The region, when `offset` to `offset + length` lies inside of it; else null. */
  Region* Find(int32_t id, int64_t offset, int64_t length);
  void Use(int32_t id) { ++regions_[id]->uses; }
  void Release(int32_t id);
  bool IsRegistered(int32_t id) const;
  bool HasFreed() const { return !freed_.empty(); }
  /** Numbers that were let go of since the last call: the script's memory behind them is no longer needed. */
  std::vector<int32_t> TakeFreed();

 private:
  void Free(int32_t id);

  const std::shared_ptr<UcxContext> context_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::vector<int32_t> free_ids_;
  std::vector<int32_t> freed_;
};

}  // namespace heddle
