# What the presets choose between. Flags are set for the whole tree, so that no target can differ.
set(WEIR_FLAVOUR "dev" CACHE STRING "dev, release, asan or tsan")
set_property(CACHE WEIR_FLAVOUR PROPERTY STRINGS dev release asan tsan)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(
  -g -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Wshadow
  -Wno-gnu-statement-expression -Wswitch -Wdangling -Wnon-virtual-dtor -Werror -fcolor-diagnostics)
add_link_options(-fuse-ld=lld)

if(WEIR_FLAVOUR STREQUAL "dev")
  add_compile_options(-O1)
  add_compile_definitions(WEIR_ASSERTIONS=1)
elseif(WEIR_FLAVOUR STREQUAL "release")
  add_compile_options(-O2 -flto=thin)
  # docs/decisions/0014-profile-guided-build.md; what has changed since is compiled as without.
  set(WEIR_PROFILE "use" CACHE STRING "use: the committed profile, make: a new one, none")
  if(NOT WEIR_PROFILE STREQUAL "none")
    # A function of one file is known by the name of the file, not by the folder of this checkout.
    add_compile_options("SHELL:-mllvm -static-func-full-module-prefix=false")
  endif()
  if(WEIR_PROFILE STREQUAL "use")
    # A profile is no dependency that a compiler names: its hash is, in the command.
    set(profile ${CMAKE_SOURCE_DIR}/bench/profile/weir.profdata)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${profile})
    file(SHA256 ${profile} profile_hash)
    add_compile_definitions(WEIR_PROFILE_HASH=${profile_hash})
    add_compile_options(-fprofile-use=${profile}
                        -Wno-profile-instr-out-of-date -Wno-profile-instr-unprofiled -Wno-backend-plugin)
  elseif(WEIR_PROFILE STREQUAL "make")
    add_compile_options(-fprofile-generate=${CMAKE_BINARY_DIR}/profiles -fprofile-update=atomic)
    add_link_options(-fprofile-generate=${CMAKE_BINARY_DIR}/profiles)
  endif()
  add_link_options(-O2 -flto=thin -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto -Wl,--gc-sections)
  add_compile_definitions(WEIR_ASSERTIONS=0 NDEBUG)
elseif(WEIR_FLAVOUR STREQUAL "asan")
  add_compile_options(-O1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(WEIR_ASSERTIONS=1 WEIR_POISON=1)
  # An empty stack of rapidjson adds to a null pointer (internal/stack.h, Reserve).
  set_source_files_properties(src/backend/load_report.cc PROPERTIES
                              COMPILE_OPTIONS -fno-sanitize=pointer-overflow)
elseif(WEIR_FLAVOUR STREQUAL "tsan")
  add_compile_options(-O1 -fsanitize=thread)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(WEIR_ASSERTIONS=1)
else()
  message(FATAL_ERROR "WEIR_FLAVOUR is '${WEIR_FLAVOUR}'; expected dev, release, asan or tsan "
                      "(use a preset: cmake --preset release)")
endif()
