#include "backend/server_choice.h"

#include <algorithm>

namespace weir::backend {

using balance::LevelIndex;
using balance::PickInput;
using balance::ServerIndex;

namespace {

// Enough that two orders drawn by chance differ.
constexpr std::size_t kPicksExplained = 32;

bool has_new(const ServerAddresses& now, const ServerAddresses& before) {
  return std::ranges::any_of(now.list, [&](const net::Address& address) {
    return std::ranges::find(before.list, address) == before.list.end();
  });
}

}  // namespace

ServerChoice::ServerChoice(const Backend& backend, balance::WorkerIndex worker,
                           std::uint16_t workers)
    : backend_(backend),
      candidates_(backend.candidates()),
      refused_at_(backend.size()),
      left_out_(backend.size()),
      full_(backend.size()),
      excluded_(backend.size()) {
  for (const auto& made : candidates_->tables) {
    states_.push_back(backend_.picker().start(*made, worker, workers));
  }
}

ServerChoice::ServerChoice(const ServerChoice& other)
    : backend_(other.backend_),
      candidates_(other.candidates_),
      refused_at_(other.refused_at_),
      left_out_(other.left_out_),
      next_let_in_(other.next_let_in_),
      full_(other.full_),
      some_full_(other.some_full_),
      excluded_(other.excluded_) {
  for (const auto& state : other.states_) states_.push_back(backend_.picker().copy(*state));
}

void ServerChoice::take_position_of(ServerChoice& predecessor) noexcept {
  WEIR_ASSERT(backend_.placement() == predecessor.backend_.placement());
  states_.swap(predecessor.states_);
}

std::shared_ptr<const Candidates> ServerChoice::adopt(
    std::shared_ptr<const Candidates> candidates) noexcept {
  candidates_.swap(candidates);
  // An address that is new has not refused.
  for (std::size_t i = 0; i < refused_at_.size(); ++i) {
    if (has_new(*candidates_->addresses[i], *candidates->addresses[i])) {
      left_out_.erase(balance::to_server(i));
    }
  }
  full_.clear();
  some_full_ = false;
  return candidates;
}

ServerIndex ServerChoice::pick(const PickFor& request, PickInput input, Slot slot) noexcept {
  input.leases = backend_.lease_counters();
  input.scores = backend_.scores();
  input.hash = request.hash;
  if (next_let_in_ <= input.now) let_in_again(input.now);
  if (some_full_) look_at_full();
  for (;;) {
    const ServerIndex index = pick_candidate(request, input);
    if (index == ServerIndex::none) return index;
    Server& server = backend_.server(index);
    if (slot == Slot::look) {
      if (server.has_free_slot()) return index;
    } else if (server.try_begin_lease()) {
      const LevelIndex level = backend_.placement().level_of(index);
      backend_.picker().on_lease(table(level), state(level), index, input.now);
      return index;
    }
    full_.insert(index);
    some_full_ = true;
  }
}

// Those that refused a moment ago are better than nobody; those that are full are no choice.
ServerIndex ServerChoice::pick_candidate(const PickFor& request, PickInput& input) noexcept {
  if (next_let_in_ != kNever) {
    excluded_ = left_out_;
    if (some_full_) excluded_.insert_all(full_);
    input.excluded = &excluded_;
    const ServerIndex index = pick_by_level(request, input);
    if (index != ServerIndex::none) return index;
  }
  input.excluded = some_full_ ? &full_ : nullptr;
  return pick_by_level(request, input);
}

ServerIndex ServerChoice::pick_by_level(const PickFor& request, const PickInput& input) noexcept {
  const balance::Picker& picker = backend_.picker();
  if (states_.size() == 1 && !backend_.placement().has_subsets()) {
    return picker.pick(table(LevelIndex{0}), state(LevelIndex{0}), input);
  }
  // A key keeps its level, as long as the shares of the levels are the same.
  balance::LevelOrder order(
      backend_.placement(), candidates_->shares, input.hash.value_or(input.random),
      {.client = request.client ? &*request.client : nullptr, .subset = request.subset});
  for (LevelIndex level = order.next(); level != LevelIndex::none; level = order.next()) {
    const ServerIndex index = picker.pick(table(level), state(level), input);
    if (index != ServerIndex::none) return index;
  }
  return ServerIndex::none;
}

void ServerChoice::on_response(ServerIndex server, Duration after, TimePoint now) noexcept {
  const LevelIndex level = backend_.placement().level_of(server);
  backend_.picker().on_response(table(level), state(level), server, after, now);
}

void ServerChoice::on_release(ServerIndex server, balance::AttemptEnd end, TimePoint now) noexcept {
  const LevelIndex level = backend_.placement().level_of(server);
  backend_.picker().on_release(table(level), state(level), server, end, now);
}

void ServerChoice::leave_out(ServerIndex server, TimePoint refused_at) noexcept {
  if (backend_.settings().refused_pause == Duration::zero()) return;
  refused_at_[balance::to_number(server)] = refused_at;
  left_out_.insert(server);
  next_let_in_ = std::min(next_let_in_, let_in_at(server));
}

TimePoint ServerChoice::let_in_at(ServerIndex server) const noexcept {
  return refused_at(server) + backend_.settings().refused_pause;
}

void ServerChoice::let_in_again(TimePoint now) noexcept {
  next_let_in_ = kNever;
  for (std::size_t i = 0; i < refused_at_.size(); ++i) {
    const ServerIndex index = balance::to_server(i);
    if (!left_out_.contains(index)) continue;
    if (let_in_at(index) <= now) {
      left_out_.erase(index);
    } else {
      next_let_in_ = std::min(next_let_in_, let_in_at(index));
    }
  }
}

void ServerChoice::look_at_full() noexcept {
  some_full_ = false;
  for (std::size_t i = 0; i < refused_at_.size(); ++i) {
    const ServerIndex index = balance::to_server(i);
    if (!full_.contains(index)) continue;
    if (backend_.server(index).has_free_slot()) {
      full_.erase(index);
    } else {
      some_full_ = true;
    }
  }
}

// What an operator has said comes first, what passes by itself last.
ServerVerdict ServerChoice::judge(ServerIndex server, ServerIndex picked) const noexcept {
  const std::size_t number = balance::to_number(server);
  if (server == picked) return ServerVerdict::picked;
  switch (candidates_->states[number]) {
    case AdminState::draining:
      return ServerVerdict::draining;
    case AdminState::disabled:
      return ServerVerdict::disabled;
    case AdminState::ready:
      break;
  }
  if (!problem_of(server).empty()) return ServerVerdict::unresolved;
  if (candidates_->specs[number].weight == 0) return ServerVerdict::weight_zero;
  const balance::Placement& placement = backend_.placement();
  if (placement.level_of(server) == LevelIndex::none) return ServerVerdict::unplaced;
  if (full_.contains(server) || !backend_.server(server).has_free_slot()) {
    return ServerVerdict::full;
  }
  if (left_out_.contains(server)) return ServerVerdict::refused_a_moment_ago;
  if (picked == ServerIndex::none || placement.level_of(server) == placement.level_of(picked)) {
    return ServerVerdict::usable;
  }
  const bool is_backup = backend_.is_backup(server) && !backend_.is_backup(picked);
  return is_backup ? ServerVerdict::backup : ServerVerdict::reserve;
}

ExplainedPick ServerChoice::explain(const PickFor& request, Random random, TimePoint now) const {
  ServerChoice copy(*this);
  balance::PickRecorder recorder(backend_.size());
  ExplainedPick explained;
  explained.picked = copy.pick(
      request, {.random = Random(random).next(), .now = now, .recorder = &recorder}, Slot::look);
  for (std::size_t i = 0; i < backend_.size(); ++i) {
    const ServerIndex server = balance::to_server(i);
    const ServerVerdict verdict = is_outside_subset(server, request, explained.picked)
                                      ? ServerVerdict::other_subset
                                      : copy.judge(server, explained.picked);
    explained.servers.push_back(
        {.server = server, .verdict = verdict, .since_refusal = now - refused_at(server)});
  }
  for (const balance::ConsideredServer& considered : recorder.considered()) {
    JudgedServer& judged = explained.servers[balance::to_number(considered.server)];
    const bool is_behind = considered.verdict == balance::PickVerdict::behind;
    if (!is_behind || judged.verdict != ServerVerdict::usable) continue;
    judged.verdict = ServerVerdict::behind;
    judged.score = considered.score;
  }
  explained.has_candidates = has_candidates();
  if (explained.picked == ServerIndex::none) {
    explained.is_full = copy.are_some_full();
    return explained;
  }
  explained.order = pick_some(request, random, now);
  explained.is_drawn = explained.order != pick_some(request, Random(~random.next()), now);
  return explained;
}

// Where the subset of the request was kept to.
bool ServerChoice::is_outside_subset(ServerIndex server, const PickFor& request,
                                     ServerIndex picked) const noexcept {
  if (backend_.subset_key() == nullptr) return false;
  const balance::Placement& placement = backend_.placement();
  if (picked == ServerIndex::none) {
    return backend_.settings().subsets->fallback == balance::SubsetFallback::none &&
           (request.subset == balance::SubsetIndex::none ||
            placement.subset_of(server) != request.subset);
  }
  return request.subset != balance::SubsetIndex::none &&
         placement.subset_of(picked) == request.subset &&
         placement.subset_of(server) != request.subset;
}

std::vector<ServerIndex> ServerChoice::pick_some(const PickFor& request, Random random,
                                                 TimePoint now) const {
  ServerChoice copy(*this);
  std::vector<ServerIndex> picks;
  for (std::size_t i = 0; i < kPicksExplained; ++i) {
    picks.push_back(copy.pick(request, {.random = random.next(), .now = now}, Slot::look));
  }
  return picks;
}

}  // namespace weir::backend
