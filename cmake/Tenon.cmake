# Functions every folder's CMakeLists.txt is written in, and global settings.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# The numerics contract: nothing is contracted that is not written as an FMA.
add_compile_options(-ffp-contract=off)
if(TENON_SANITIZE)
  # What is found ends the program, or a test would pass with a warning.
  add_compile_options(-fsanitize=${TENON_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TENON_SANITIZE})
endif()
if(TENON_FUZZERS)
  # What is fuzzed reports its coverage, or the fuzzer is blind.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# libstdc++ 12 deprecates what its own std::stable_sort uses, which clang reports.
set(TENON_WARNINGS -Wall -Wextra -Wshadow -Werror -Wno-deprecated-declarations)

# tenon_library(NAME [MLIR] [DEPS target...] [LIBS library...] [EXCLUDE regex...])
# A static, position-independent library of every .cpp at and below this folder;
# MLIR precompiles the headers most of its files include.
function(tenon_library name)
  cmake_parse_arguments(ARG "MLIR" "" "DEPS;LIBS;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(pattern IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(${name} STATIC ${sources})
  # Of the build alone: TenonInstall.cmake says what installed programs see.
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/runtime/include>)
  target_include_directories(${name} SYSTEM PUBLIC
    $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/generated>)
  target_compile_options(${name} PRIVATE ${TENON_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} ${ARG_LIBS})
  if(ARG_MLIR)
    target_link_libraries(${name} PUBLIC tenon_mlir)
    target_precompile_headers(${name} PRIVATE
      ${CMAKE_SOURCE_DIR}/cmake/MlirHeaders.h)
    target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)
  endif()
endfunction()

# tenon_test(NAME SOURCES file... [DEPS target...]): a gtest program.
function(tenon_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${TENON_WARNINGS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/runtime/include)
  target_compile_definitions(${name} PRIVATE
    TENON_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock
    GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# tenon_bench(NAME SOURCES file... [DEPS target...]): a Google Benchmark program.
function(tenon_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  find_package(benchmark REQUIRED)
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${TENON_WARNINGS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/runtime/include)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} benchmark::benchmark_main)
endfunction()

# tenon_fuzzer(NAME SEEDS folder SOURCES file... [DEPS target...]): a libFuzzer
# program, which as a test runs for a minute from those seeds.
function(tenon_fuzzer name)
  cmake_parse_arguments(ARG "" "SEEDS" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/runtime/include)
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  # libFuzzer keeps what it finds in the first folder.
  set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${name})
  file(MAKE_DIRECTORY ${found} ${ARG_SEEDS})
  add_test(NAME ${name} COMMAND ${name} -max_total_time=60 -timeout=20
    -rss_limit_mb=2048 -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/${name}-
    ${found} ${ARG_SEEDS})
endfunction()
