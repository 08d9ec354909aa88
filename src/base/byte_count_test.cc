#include "base/byte_count.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(ByteCount, UnitsAreBinary) {
  EXPECT_EQ(64_KiB, ByteCount(65'536));
  EXPECT_EQ(1_MiB, 1'024_KiB);
  EXPECT_EQ(1_GiB, 1'024_MiB);
  EXPECT_LT(1'023_B, 1_KiB);
}

}  // namespace
}  // namespace weir
