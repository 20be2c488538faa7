#include "memory_table.h"

namespace heddle {

MemoryTable::~MemoryTable() {
  for (const auto& region : regions_) {
    if (region != nullptr) context_->ucx.ucp_mem_unmap(context_->handle, region->handle);
  }
}

int32_t MemoryTable::Register(uint8_t* base, size_t length) {
  ucp_mem_map_params_t params = {};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = base;
  params.length = length;
  auto region = std::make_unique<Region>();
  region->base = base;
  region->length = length;
  regions_.reserve(regions_.size() + 1);
  free_ids_.reserve(regions_.capacity());
  freed_.reserve(regions_.capacity());
  const ucs_status_t status = context_->ucx.ucp_mem_map(context_->handle, &params, &region->handle);
  if (status != UCS_OK) throw UcxError(status, "UCX could not register memory; is the limit of locked memory (ulimit -l) high enough?");
  // Nothing below allocates: what was registered is not lost.
  if (free_ids_.empty()) {
    regions_.push_back(std::move(region));
    return static_cast<int32_t>(regions_.size() - 1);
  }
  const int32_t id = free_ids_.back();
  free_ids_.pop_back();
  regions_[id] = std::move(region);
  return id;
}

bool MemoryTable::IsRegistered(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < regions_.size() && regions_[id] != nullptr && !regions_[id]->is_doomed;
}

bool MemoryTable::Unregister(int32_t id) {
  if (!IsRegistered(id)) return false;
  regions_[id]->is_doomed = true;
  if (regions_[id]->uses == 0) Free(id);
  return true;
}

MemoryTable::Region* MemoryTable::Find(int32_t id, int64_t offset, int64_t length) {
  if (!IsRegistered(id) || offset < 0 || length < 0) return nullptr;
  Region* region = regions_[id].get();
  return static_cast<uint64_t>(offset) + static_cast<uint64_t>(length) <= region->length ? region : nullptr;
}

void MemoryTable::Release(int32_t id) {
  Region* region = regions_[id].get();
  if (--region->uses == 0 && region->is_doomed) Free(id);
}

void MemoryTable::Free(int32_t id) {
  context_->ucx.ucp_mem_unmap(context_->handle, regions_[id]->handle);
  regions_[id].reset();
  free_ids_.push_back(id);
  freed_.push_back(id);
}

std::vector<int32_t> MemoryTable::TakeFreed() {
  std::vector<int32_t> freed;
  freed.swap(freed_);
  freed_.reserve(regions_.capacity());
  return freed;
}

}  // namespace heddle
