# What find_package(Tenon) finds, in the build tree and installed.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# The project's own targets that `target` links, itself included.
function(tenon_closure target out)
  set(found ${${out}})
  if(NOT TARGET ${target} OR target IN_LIST found)
    return()
  endif()
  get_target_property(imported ${target} IMPORTED)
  get_target_property(aliased ${target} ALIASED_TARGET)
  if(imported OR aliased)
    return()
  endif()
  list(APPEND found ${target})
  get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" link "${link}")
    tenon_closure(${link} found)
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Programs see Tenon's headers, not the options its own code is compiled with.
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/tenon-cxx)
add_library(tenon_cxx INTERFACE)
set_target_properties(tenon_cxx PROPERTIES EXPORT_NAME tenon)
target_include_directories(tenon_cxx INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/runtime/include>
  $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/generated>
  $<INSTALL_INTERFACE:${headers}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(tenon_cxx INTERFACE cxx_std_20)
target_link_libraries(tenon_cxx INTERFACE
  $<LINK_ONLY:tenon_models> $<LINK_ONLY:tenon_frontend>
  absl::status absl::statusor nlohmann_json::nlohmann_json)

set(targets)
tenon_closure(tenon_cxx targets)
install(TARGETS ${targets} EXPORT TenonTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/Tenon)
install(EXPORT TenonTargets NAMESPACE Tenon:: DESTINATION ${folder})
export(EXPORT TenonTargets NAMESPACE Tenon::
  FILE ${CMAKE_BINARY_DIR}/TenonTargets.cmake)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/TenonConfig.cmake.in
  ${CMAKE_BINARY_DIR}/TenonConfig.cmake INSTALL_DESTINATION ${folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/TenonConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/TenonConfig.cmake
  ${CMAKE_BINARY_DIR}/TenonConfigVersion.cmake DESTINATION ${folder})

# Headers that the DSL's and the models' include, at the paths they use.
foreach(part frontend models runtime/base runtime/io)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/${part}/ DESTINATION ${headers}/${part}
    FILES_MATCHING PATTERN *.h)
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/ir/tn/Attention.h
  DESTINATION ${headers}/ir/tn)
install(FILES ${CMAKE_BINARY_DIR}/generated/frontend/dsl/Ops.h.inc
  DESTINATION ${headers}/frontend/dsl)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/runtime/include/tenon
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
