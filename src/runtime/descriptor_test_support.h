#pragma once
// What tests of a process without descriptors share.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace weir {

// While it lives, the process can open no further descriptor.
class NoDescriptorLeft {
 public:
  NoDescriptorLeft() {
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
  }
  NoDescriptorLeft(const NoDescriptorLeft&) = delete;
  ~NoDescriptorLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace weir
