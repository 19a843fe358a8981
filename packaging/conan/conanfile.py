"""Conan's recipe (2.0) of the checkout that it is in: conan create packaging/conan"""
import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

ROOT = os.path.join(os.pardir, os.pardir)


class BitNetQuant(ConanFile):
    name = "bitnet-quant"
    description = "Low-bit quantization of neural networks on the CPU: libbnq, a C library"
    license = "MIT"
    topics = ("quantization", "neural-network", "simd")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "tools": [True, False]}
    default_options = {"shared": True, "fPIC": True, "tools": False}

    def set_version(self):
        self.version = load(self, os.path.join(self.recipe_folder, ROOT,
                                               "packaging/VERSION")).strip()

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        for pattern in ("CMakeLists.txt", "LICENSE", "core/*", "capi/*", "bindings/cli/*",
                        "packaging/VERSION", "packaging/cmake/*"):
            copy(self, pattern, src=root, dst=self.export_sources_folder)

    def config_options(self):
        if self.settings.os == "Windows":
            self.options.rm_safe("fPIC")

    def configure(self):
        if self.options.shared:
            self.options.rm_safe("fPIC")

    def requirements(self):
        self.requires("highway/[>=1.0.3 <2]")
        self.requires("zlib/[>=1.2.11 <2]")
        self.requires("nlohmann_json/[>=3.9 <4]")
        if self.options.tools:
            self.requires("cli11/[>=2 <3]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["BNQ_BUILD_CLI"] = bool(self.options.tools)
        toolchain.cache_variables["BNQ_BUILD_TESTS"] = False
        toolchain.cache_variables["BNQ_BUILD_BENCH"] = False
        toolchain.cache_variables["BNQ_FETCH_HIGHWAY"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", src=self.source_folder,
             dst=os.path.join(self.package_folder, "licenses"))
        # Conan makes these for its own ways.
        for folder in ("cmake", "pkgconfig"):
            rmdir(self, os.path.join(self.package_folder, "lib", folder))

    def package_info(self):
        self.cpp_info.libs = ["bnq"]
        self.cpp_info.set_property("cmake_file_name", "bnq")
        self.cpp_info.set_property("cmake_target_name", "bnq::bnq")
        self.cpp_info.set_property("pkg_config_name", "bnq")
        if not self.options.shared:
            self.cpp_info.defines = ["BNQ_STATIC"]
            if self.settings.os in ("Linux", "FreeBSD"):
                self.cpp_info.system_libs = ["m", "pthread", "stdc++"]
