#include "proxy/http/stored_body.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::proxy {

using net::BodyEnd;
using net::BodyRead;
using net::BodyWrite;

StoredBody::StoredBody(BodyFiles& files, Arena& arena, const BodyStore& store, Keep keep) noexcept
    : Deferred([](Deferred& self) noexcept { static_cast<StoredBody&>(self).wake(); }),
      files_(files),
      arena_(arena),
      store_(store),
      keep_(keep) {}

StoredBody::~StoredBody() {
  WEIR_ASSERT(reader_ == nullptr && writer_ == nullptr);
  if (Deferred::is_linked()) Deferred::unlink();
  if (file_ != nullptr) file_->retire();
}

BodyWrite StoredBody::try_write_body(std::string_view data, BodyEnd end) noexcept {
  if (error_.kind != ErrorKind::none) return BodyWrite::failed(error_);
  BodyWrite written;
  // What comes behind bytes in the file has to go there too.
  if (!is_file_used()) written.taken = put_in_memory(data);
  if (written.taken != data.size()) {
    const auto put = put_in_file(data.substr(written.taken));
    if (put) {
      written.taken += *put;
    } else if (!may_have_room_later()) {
      return BodyWrite::failed(put.error());
    }
  }
  size_ += written.taken;
  if (written.taken != data.size()) {
    written.status = BodyWrite::Status::would_block;
  } else if (end == BodyEnd::last) {
    is_complete_ = true;
  }
  wake_soon();
  return written;
}

std::size_t StoredBody::put_in_memory(std::string_view data) noexcept {
  if (data.empty() || store_.memory == 0) return 0;
  if (keep_ == Keep::until_read && !is_memory_used()) memory_read_ = memory_end_ = 0;
  if (!memory_) memory_ = files_.worker.buffers().take(store_.memory);
  if (!memory_) return 0;
  const std::size_t count = std::min<std::size_t>(data.size(), store_.memory - memory_end_);
  std::memcpy(memory_.data() + memory_end_, data.data(), count);
  memory_end_ += static_cast<std::uint32_t>(count);
  return count;
}

// Begins to write a part of it.
Result<std::size_t> StoredBody::put_in_file(std::string_view data) noexcept {
  if (has_disk_failed_) return fail(ErrorKind::body_storage, Side::weir);
  if (file_ != nullptr && file_->is_writing()) return 0;
  if (keep_ == Keep::until_read && !is_file_used()) {
    file_begin_ = file_read_ = file_written_ = file_end_ = 0;
  }
  const std::uint64_t room = store_.disk - (file_end_ - file_begin_);
  if (room == 0) {
    const bool has_memory = memory_ || store_.memory == 0;
    return keep_ == Keep::always && has_memory ? fail(ErrorKind::body_too_large, Side::client)
                                               : fail(ErrorKind::buffers_exhausted, Side::weir);
  }
  if (file_ == nullptr) file_ = &files_.make(store_.space, *this);
  const std::uint64_t place = file_end_ % store_.disk;
  const std::size_t count =
      std::min<std::uint64_t>({data.size(), room, store_.disk - place, BodyFile::kAccessBytesMax});
  const Error error = file_->start_write(data.substr(0, count), place);
  if (error.kind != ErrorKind::none) return fail(error);
  file_end_ += count;
  return count;
}

// When the disk has gone on, or the reader.
bool StoredBody::may_have_room_later() const noexcept {
  if (file_ != nullptr && file_->is_writing()) return true;
  return keep_ == Keep::until_read && (is_memory_used() || is_file_used());
}

void StoredBody::set_trailers(const http::FieldList& fields) noexcept {
  trailers_ = http::FieldList(arena_.allocate_array<http::Field>(fields.size()));
  for (const http::Field& field : fields) {
    http::Field copy = field;
    copy.name = arena_.copy(field.name);
    copy.value = arena_.copy(field.value);
    const bool is_copied = copy.name.data() != nullptr && copy.value.data() != nullptr;
    if (!is_copied || !trailers_.add(copy)) {
      error_ = make_error(ErrorKind::buffers_exhausted, Side::weir);
    }
  }
}

Started StoredBody::start_body_writable(TimePoint /*deadline*/, net::Waiter& waiter) noexcept {
  waiter.error = error_;
  if (error_.kind != ErrorKind::none) return Started::completed;
  writer_ = &waiter;
  return Started::waiting;
}

void StoredBody::stop(Error reason) noexcept {
  if (error_.kind == ErrorKind::none) error_ = reason;
  wake_soon();
}

BodyRead StoredBody::try_read_body(std::span<char> /*into*/) noexcept {
  free_given();
  if (is_memory_used()) {
    const std::string_view data(memory_.data() + memory_read_, memory_end_ - memory_read_);
    memory_read_ = memory_end_;
    return give(data);
  }
  if (has_fetched_) {
    has_fetched_ = false;
    file_read_ += file_->read().size();
    return give(file_->read());
  }
  if (file_read_ < file_written_) {
    const Error error = file_->is_reading() ? Error() : start_fetch();
    return error.kind == ErrorKind::none ? BodyRead() : BodyRead::failed(error);
  }
  if (has_disk_failed_ && is_file_used()) {
    file_read_ = file_end_;
    return give(file_->unwritten());
  }
  if (is_file_used()) return {};  // on its way into it
  if (is_complete_) return BodyRead::of({}, BodyEnd::last);
  if (error_.kind != ErrorKind::none) return BodyRead::failed(error_);
  return {};
}

// What the last read gave lives no longer.
void StoredBody::free_given() noexcept {
  if (keep_ == Keep::until_read && !is_memory_used()) {
    memory_.release();
    memory_read_ = memory_end_ = 0;
  }
  if (file_ != nullptr && !has_fetched_ && !file_->is_reading()) file_->free_read();
}

BodyRead StoredBody::give(std::string_view data) noexcept {
  if (keep_ == Keep::until_read) wake_soon();
  const bool is_last = is_complete_ && !is_memory_used() && !is_file_used();
  return BodyRead::of(data, is_last ? BodyEnd::last : BodyEnd::more);
}

// Begins to read the next part of what is in the file.
Error StoredBody::start_fetch() noexcept {
  const std::uint64_t place = file_read_ % store_.disk;
  const std::size_t count = std::min<std::uint64_t>(
      {file_written_ - file_read_, store_.disk - place, BodyFile::kAccessBytesMax});
  fetching_ = file_read_;
  return file_->start_read(count, place);
}

Started StoredBody::start_body_readable(TimePoint /*deadline*/, net::Waiter& waiter) noexcept {
  waiter.error = {};
  reader_ = &waiter;
  return Started::waiting;
}

void StoredBody::cancel_body_readable() noexcept {
  net::Waiter* const reader = std::exchange(reader_, nullptr);
  if (reader == nullptr) return;
  reader->error = make_error(ErrorKind::canceled, Side::weir);
  reader->call_back();
}

void StoredBody::rewind() noexcept {
  WEIR_ASSERT(is_rewindable() && reader_ == nullptr);
  memory_read_ = 0;
  file_read_ = 0;
  has_fetched_ = false;
}

void StoredBody::on_written(int os_error) noexcept {
  if (os_error == 0) {
    file_written_ = file_end_;
  } else {
    has_disk_failed_ = true;
  }
  wake_soon();
}

void StoredBody::on_read(int os_error) noexcept {
  if (os_error != 0) {
    // What is in the file is lost.
    is_complete_ = false;
    file_read_ = file_written_ = file_end_;
    return stop(make_error(ErrorKind::body_storage, Side::weir, os_error));
  }
  has_fetched_ = fetching_ == file_read_;  // unless it was rewound meanwhile
  if (keep_ == Keep::until_read) file_begin_ = file_read_ + file_->read().size();
  wake_soon();
}

void StoredBody::wake_soon() noexcept {
  const bool is_awaited = reader_ != nullptr || writer_ != nullptr;
  if (is_awaited && !Deferred::is_linked()) files_.worker.defer(*this);
}

void StoredBody::wake() noexcept {
  net::Waiter* const reader = std::exchange(reader_, nullptr);
  net::Waiter* const writer = std::exchange(writer_, nullptr);
  if (writer != nullptr) {
    writer->error = error_;
    writer->call_back();
  }
  if (reader != nullptr) reader->call_back();
}

}  // namespace weir::proxy
