#include <errno.h>
#include <napi.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

/** Calls of the operating system that Node.js does not offer. Each returns 0, or the error number. */
namespace heddle {
namespace {

/** linux/mempolicy.h, whose header belongs to a package of its own. */
constexpr int kPreferNode = 1;
constexpr unsigned kMovePages = 1 << 1;
constexpr int32_t kMaximumNodes = 1024;

/** The whole pages within the view: advice on a page that is shared with other memory would concern that, too. */
struct Pages {
  uintptr_t start;
  size_t length;
  explicit Pages(const Napi::Uint8Array& view) {
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<uintptr_t>(view.Data());
    const uintptr_t end = (begin + view.ByteLength()) & ~(page - 1);
    start = (begin + page - 1) & ~(page - 1);
    length = end > start ? end - start : 0;
  }
};

Napi::Uint8Array ViewOf(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsTypedArray()) throw Napi::TypeError::New(info.Env(), "a Uint8Array is needed");
  return info[0].As<Napi::Uint8Array>();
}

Napi::Value Outcome(const Napi::CallbackInfo& info, long status) {
  return Napi::Number::New(info.Env(), status == 0 ? 0 : errno);
}

/** adviseHugePages(memory): the kernel may back it with huge pages, from its first use on. */
Napi::Value AdviseHugePages(const Napi::CallbackInfo& info) {
  const Pages pages(ViewOf(info));
  return Outcome(info, madvise(reinterpret_cast<void*>(pages.start), pages.length, MADV_HUGEPAGE));
}

/** preferNumaNode(memory, node): pages come from that node while it has some; those that are there already move. */
Napi::Value PreferNumaNode(const Napi::CallbackInfo& info) {
  const Pages pages(ViewOf(info));
  const int32_t node = info[1].As<Napi::Number>().Int32Value();
  if (node < 0 || node >= kMaximumNodes) return Napi::Number::New(info.Env(), EINVAL);
  uint64_t mask[kMaximumNodes / 64] = {};
  mask[node / 64] = uint64_t{1} << (node % 64);
  return Outcome(info, syscall(SYS_mbind, pages.start, pages.length, kPreferNode, mask, kMaximumNodes + 1, kMovePages));
}

/** setTypeOfService(descriptor, value): the type of service (IPv4) or traffic class (IPv6) of a socket's packets. */
Napi::Value SetTypeOfService(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  const int value = info[1].As<Napi::Number>().Int32Value();
  sockaddr_storage address = {};
  socklen_t length = sizeof(address);
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) return Outcome(info, -1);
  if (address.ss_family != AF_INET6) return Outcome(info, setsockopt(descriptor, IPPROTO_IP, IP_TOS, &value, sizeof(value)));
  // An IPv6 socket may carry IPv4, which takes its value from the other option.
  setsockopt(descriptor, IPPROTO_IP, IP_TOS, &value, sizeof(value));
  return Outcome(info, setsockopt(descriptor, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof(value)));
}

}  // namespace
}  // namespace heddle

static Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("adviseHugePages", Napi::Function::New<heddle::AdviseHugePages>(env, "adviseHugePages"));
  exports.Set("preferNumaNode", Napi::Function::New<heddle::PreferNumaNode>(env, "preferNumaNode"));
  exports.Set("setTypeOfService", Napi::Function::New<heddle::SetTypeOfService>(env, "setTypeOfService"));
  return exports;
}

NODE_API_MODULE(heddle_system, Initialize)
