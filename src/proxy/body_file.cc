#include "proxy/body_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <unistd.h>

namespace weir::proxy {

std::shared_ptr<DiskFolder> DiskFolder::at(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<DiskFolder>> folders;
  const std::lock_guard lock(mutex);
  std::weak_ptr<DiskFolder>& known = folders[path];
  std::shared_ptr<DiskFolder> folder = known.lock();
  if (folder == nullptr) known = folder = std::make_shared<DiskFolder>(path);
  return folder;
}

bool DiskFolder::try_reserve(std::uint64_t bytes, std::uint64_t bytes_max) noexcept {
  std::uint64_t reserved = reserved_.load(std::memory_order_relaxed);
  do {
    if (bytes > bytes_max - std::min(reserved, bytes_max)) return false;
  } while (!reserved_.compare_exchange_weak(reserved, reserved + bytes, std::memory_order_relaxed));
  return true;
}

Fd open_body_file(const char* folder) noexcept {
  return Fd(::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

BodyFile::BodyFile(BodyFiles& files, DiskSpace space, Owner& owner) noexcept
    : files_(files), space_(std::move(space)), owner_(&owner) {
  files_.cells.body_files.add();
}

BodyFile::~BodyFile() {
  space_.folder->give_back(reserved_);
  files_.cells.body_file_bytes_freed.add(reserved_);
}

Error BodyFile::start_write(std::string_view data, std::uint64_t offset) noexcept {
  WEIR_ASSERT(!data.empty() && data.size() <= kAccessBytesMax);
  const std::uint64_t end = offset + data.size();
  if (end > reserved_) {
    if (!space_.folder->try_reserve(end - reserved_, space_.bytes_max)) {
      return make_error(ErrorKind::body_storage, Side::weir, ENOSPC);
    }
    files_.cells.body_file_bytes_reserved.add(end - reserved_);
    reserved_ = end;
  }
  if (!write_.buffer) write_.buffer = files_.worker.buffers().take(kAccessBytesMax);
  if (!write_.buffer) return make_error(ErrorKind::buffers_exhausted, Side::weir);
  std::memcpy(write_.buffer.data(), data.data(), data.size());
  return start(write_, data.size(), offset);
}

Error BodyFile::start_read(std::size_t bytes, std::uint64_t offset) noexcept {
  WEIR_ASSERT(bytes != 0 && bytes <= kAccessBytesMax);
  if (!read_.buffer) read_.buffer = files_.worker.buffers().take(kAccessBytesMax);
  if (!read_.buffer) return make_error(ErrorKind::buffers_exhausted, Side::weir);
  return start(read_, bytes, offset);
}

Error BodyFile::start(Access& access, std::size_t bytes, std::uint64_t offset) noexcept {
  WEIR_ASSERT(!access.busy && owner_ != nullptr);
  access.bytes = bytes;
  access.offset = offset;
  access.busy = files_.jobs.submit(files_.worker, access).kind == ErrorKind::none;
  return access.busy ? Error() : make_error(ErrorKind::body_storage, Side::weir, EAGAIN);
}

// On the jobs thread, like what follows up to done().
void BodyFile::Access::run() noexcept {
  if (kind == Kind::close) {
    file.fd_ = Fd();
    return;
  }
  if (!file.fd_.is_open()) file.fd_ = open_body_file(file.space_.folder->path().c_str());
  os_error = file.fd_.is_open() ? move() : errno;
}

int BodyFile::Access::move() noexcept {
  const int fd = file.fd_.get();
  for (std::size_t moved = 0; moved < bytes;) {
    char* const place = buffer.data() + moved;
    const auto at = static_cast<off_t>(offset + moved);
    const ssize_t count = kind == Kind::write ? ::pwrite(fd, place, bytes - moved, at)
                                              : ::pread(fd, place, bytes - moved, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return EIO;
    moved += static_cast<std::size_t>(count);
  }
  return 0;
}

void BodyFile::Access::done() noexcept {
  busy = false;
  file.on_done(*this);
}

void BodyFile::on_done(Access& access) noexcept {
  if (access.kind == Kind::close) {
    return files_.files_.destroy(*this);
  }
  if (access.os_error != 0) {
    files_.cells.body_file_failures.add();
  } else if (access.kind == Kind::write) {
    files_.cells.body_file_bytes_written.add(access.bytes);
    access.buffer.release();
  }
  if (owner_ == nullptr) return retire();
  if (access.kind == Kind::write) {
    owner_->on_written(access.os_error);
  } else {
    owner_->on_read(access.os_error);
  }
}

void BodyFile::retire() noexcept {
  owner_ = nullptr;
  if (write_.busy || read_.busy) return;
  // Giving a large file's blocks back takes its time.
  if (files_.jobs.submit(files_.worker, close_).kind == ErrorKind::none) return;
  files_.files_.destroy(*this);
}

}  // namespace weir::proxy
