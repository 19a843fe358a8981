# Finds Highway and makes bnq_highway, the target everything compiles against.
# bnq_highway_library is what the library links to: the imported target itself,
# so that an installed static library can name it.
set(bnq_highway_version 1.0.3)
set(bnq_highway_tag 1.2.0) # the release BNQ_FETCH_HIGHWAY downloads

find_package(hwy ${bnq_highway_version} CONFIG QUIET)
if(TARGET hwy::hwy)
  set(bnq_highway_library hwy::hwy)
else()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(bnq_hwy QUIET IMPORTED_TARGET GLOBAL
                      libhwy>=${bnq_highway_version})
  endif()
  if(TARGET PkgConfig::bnq_hwy)
    set(bnq_highway_library PkgConfig::bnq_hwy)
  elseif(BNQ_FETCH_HIGHWAY)
    include(FetchContent)
    set(HWY_ENABLE_TESTS OFF CACHE BOOL "" FORCE)
    set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "" FORCE)
    set(HWY_ENABLE_CONTRIB OFF CACHE BOOL "" FORCE)
    # Only a static libbnq needs an installed Highway beside it.
    if(BUILD_SHARED_LIBS)
      set(HWY_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
    endif()
    set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "" FORCE)
    FetchContent_Declare(highway
      GIT_REPOSITORY https://github.com/google/highway.git
      GIT_TAG ${bnq_highway_tag}
      GIT_SHALLOW ON)
    FetchContent_MakeAvailable(highway)
    set_target_properties(hwy PROPERTIES POSITION_INDEPENDENT_CODE ON)
    set(bnq_highway_library hwy)
  else()
    message(FATAL_ERROR
      "Highway ${bnq_highway_version} or newer was not found. Install it "
      "(Debian, Ubuntu: libhwy-dev; Fedora: highway-devel; Arch: highway; "
      "Homebrew: highway; vcpkg: highway), or configure with "
      "-DBNQ_FETCH_HIGHWAY=ON to download it.")
  endif()
endif()

add_library(bnq_highway INTERFACE)
target_link_libraries(bnq_highway INTERFACE ${bnq_highway_library})
