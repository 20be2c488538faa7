// The CAF side of fan-in: 8 actors send to one, each waiting after 1000 messages until they are taken.
// Usage: fan_in BUDGET_MS. Prints `messages=N seconds=S` once count and sum are found right, and fails otherwise.
#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

using add_atom = caf::atom_constant<caf::atom("add")>;
using sync_atom = caf::atom_constant<caf::atom("sync")>;
using synced_atom = caf::atom_constant<caf::atom("synced")>;
using finish_atom = caf::atom_constant<caf::atom("finish")>;
using steady = std::chrono::steady_clock;

namespace {

constexpr int senders = 8;
constexpr std::int64_t window = 1000;

struct receiver_state {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  std::int64_t sent = 0;
  std::int64_t sent_sum = 0;
  int running = senders;
};

caf::behavior receiver(caf::stateful_actor<receiver_state>* self, steady::time_point start) {
  return {
    [=](add_atom, std::int64_t value) {
      auto& state = self->state;
      ++state.count;
      state.sum += value;
    },
    [=](sync_atom) { return synced_atom::value; },
    [=](finish_atom, std::int64_t sent, std::int64_t sum) {
      auto& state = self->state;
      state.sent += sent;
      state.sent_sum += sum;
      if (--state.running > 0) return;
      if (state.count != state.sent || state.sum != state.sent_sum) {
        std::fprintf(stderr, "wrong sum\n");
        std::_Exit(1);
      }
      const double seconds = std::chrono::duration<double>(steady::now() - start).count();
      std::printf("messages=%lld seconds=%.6f\n", static_cast<long long>(state.count), seconds);
      self->quit();
    },
  };
}

struct sender_state {
  std::int64_t sent = 0;
  std::int64_t sum = 0;
};

caf::behavior sender(caf::stateful_actor<sender_state>* self, caf::actor to, steady::time_point deadline) {
  auto burst = [=] {
    auto& state = self->state;
    for (std::int64_t i = 0; i < window; ++i) {
      self->send(to, add_atom::value, state.sent);
      state.sum += state.sent++;
    }
    self->send(to, sync_atom::value);
  };
  burst();
  return {
    [=](synced_atom) {
      if (steady::now() < deadline) {
        burst();
        return;
      }
      self->send(to, finish_atom::value, self->state.sent, self->state.sum);
      self->quit();
    },
  };
}

} // namespace

int main(int argc, char** argv) {
  const int budget_ms = argc > 1 ? std::atoi(argv[1]) : 1000;
  caf::actor_system_config config;
  caf::actor_system system{config};
  const auto start = steady::now();
  const auto deadline = start + std::chrono::milliseconds(budget_ms);
  auto to = system.spawn(receiver, start);
  for (int i = 0; i < senders; ++i) system.spawn(sender, to, deadline);
  system.await_all_actors_done();
  return 0;
}
