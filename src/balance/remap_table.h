#pragma once
// What each method of `hash` does to 10,000 keys: the numbers of docs/reference/balance/remap.md.

#include <string>

#include "balance/hash.h"

namespace weir::balance {

// Parts of all keys, 0 to 1.
struct Remap {
  double moved = 0;
  // Moved though nothing forced it: from one server that stays to another that was there before.
  double astray = 0;
};

struct RemapNumbers {
  Remap added;     // the fourth server
  Remap removed;   // the fourth of four
  Remap out;       // one of ten is no candidate
  double fullest;  // keys of the fullest of ten by the mean
};
RemapNumbers measure_remap(const HashSettings& settings);

struct OverflowNumbers {
  double overflow;  // attempts that are not on the first server of their key, of all
  double fullest;   // attempts on the fullest server by the mean
};
// 10,000 attempts in flight on ten servers; their keys are as popular as 1, 1/2, 1/3 to 1/1000.
OverflowNumbers measure_overflow(const HashSettings& settings);

// The page, in Markdown.
std::string remap_reference();

}  // namespace weir::balance
