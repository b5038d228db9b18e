# LLVM and MLIR from Debian's packages, as shared libraries, and TableGen.

find_package(LLVM 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/llvm)
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
find_package(absl REQUIRED)
list(APPEND CMAKE_MODULE_PATH ${LLVM_CMAKE_DIR} ${MLIR_CMAKE_DIR})
set(LLVM_LINK_LLVM_DYLIB ON)
set(MLIR_LINK_MLIR_DYLIB ON)
include(TableGen)

# What every library that sees MLIR links and defines.
add_library(tenon_mlir INTERFACE)
target_include_directories(tenon_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS}
  ${MLIR_INCLUDE_DIRS})
target_compile_options(tenon_mlir INTERFACE -fno-rtti)
target_link_libraries(tenon_mlir INTERFACE MLIR LLVM)

# tenon_tablegen(TARGET FILE.td (GENERATOR OUTPUT)...): runs mlir-tblgen; OUTPUT is
# below the build's include folder, GENERATOR its option without the "-gen-".
function(tenon_tablegen target td)
  set(outputs)
  set(pairs ${ARGN})
  file(GLOB_RECURSE depends CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.td)
  while(pairs)
    list(POP_FRONT pairs generator output)
    set(path ${CMAKE_BINARY_DIR}/generated/${output})
    get_filename_component(folder ${path} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    separate_arguments(generator_args UNIX_COMMAND "-gen-${generator}")
    add_custom_command(OUTPUT ${path}
      COMMAND mlir-tblgen ${generator_args} ${CMAKE_CURRENT_SOURCE_DIR}/${td}
        -I ${CMAKE_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS} -o ${path}
      DEPENDS ${depends} VERBATIM)
    list(APPEND outputs ${path})
  endwhile()
  add_custom_target(${target}_gen DEPENDS ${outputs})
  set_property(GLOBAL APPEND PROPERTY TENON_GENERATED ${target}_gen)
endfunction()
