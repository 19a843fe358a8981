#include <gtest/gtest.h>

#include <string>

#include "core/io/safetensors.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

// A reader, and the memory it reads from.
struct Parsed {
  explicit Parsed(const std::string& file)
      : bytes(file), reader(bytes.File()) {}
  ExactBytes bytes;
  SafetensorsReader reader;
};

testing::AssertionResult Refuses(const std::string& file,
                                 const std::string& text,
                                 Status status = Status::kCorruptFile) {
  return FailsWith(status, text, [&] { Parsed parsed(file); });
}

std::string Tensor(const std::string& name, const std::string& dtype,
                   const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

std::string One(const std::string& dtype, const std::string& shape,
                const std::string& offsets) {
  return "{" + Tensor("test", dtype, shape, offsets) + "}";
}

const char kGolden[] =
    R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})";

TEST(SafetensorsReader, Golden) {
  ASSERT_EQ(sizeof kGolden - 1, 60u);
  const std::string data = Noise(16);
  const Parsed p(SafetensorsBytes(kGolden, data));
  ASSERT_EQ(p.reader.entries().size(), 1u);
  const SafetensorsEntry& entry = p.reader.entries()[0];
  EXPECT_EQ(entry.name, "test");
  EXPECT_EQ(entry.dtype, DType::kI32);
  EXPECT_EQ(entry.shape.ToString(), "[2, 2]");
  EXPECT_EQ(entry.offset, 68u);
  EXPECT_EQ(entry.bytes, 16u);
  EXPECT_EQ(std::memcmp(p.reader.Data(entry), data.data(), 16), 0);
  EXPECT_EQ(p.reader.Find("test"), &entry);
  EXPECT_EQ(p.reader.Find("tes"), nullptr);
  EXPECT_EQ(p.reader.Find("testt"), nullptr);
  EXPECT_TRUE(p.reader.metadata().empty());
}

TEST(SafetensorsReader, HeaderTooSmall) {
  for (size_t n = 0; n < 8; ++n) {
    EXPECT_TRUE(Refuses(std::string(n, '\0'),
                        "HeaderTooSmall: " + std::to_string(n) + " bytes"));
  }
}

TEST(SafetensorsReader, HeaderTooLarge) {
  std::string file;
  AppendLE<uint64_t>(100000001, &file);
  EXPECT_TRUE(Refuses(file, "HeaderTooLarge: header length = 100000001"));
  // The limit comes before the length of the file, and is itself allowed.
  file.clear();
  AppendLE<uint64_t>(100000000, &file);
  EXPECT_TRUE(Refuses(file, "InvalidHeaderLength"));
  std::string golden = SafetensorsBytes(kGolden, Noise(16));
  for (size_t i = 4; i < 8; ++i) golden[i] = '\xff';
  EXPECT_TRUE(Refuses(golden, "HeaderTooLarge"));
  EXPECT_TRUE(Refuses(std::string(8, '\xff'), "18446744073709551615"));
}

TEST(SafetensorsReader, InvalidHeaderLength) {
  std::string file;
  AppendLE<uint64_t>(60, &file);
  EXPECT_TRUE(Refuses(
      file, "InvalidHeaderLength: header length = 60, but 0 bytes follow"));
  EXPECT_TRUE(Refuses(file + std::string(59, ' '), "InvalidHeaderLength"));
}

TEST(SafetensorsReader, InvalidHeader) {
  EXPECT_TRUE(Refuses(SafetensorsBytes("\xff"), "InvalidHeader: byte 0"));
  // Not UTF-8 counts before bad JSON.
  EXPECT_TRUE(
      Refuses(SafetensorsBytes("[\xed\xa0\x80"), "InvalidHeader: byte 1"));
}

TEST(SafetensorsReader, InvalidHeaderDeserialization) {
  const std::string tail = R"(,"data_offsets":[0,0]}})";
  const std::string shape_then = R"({"test":{"dtype":"U8","shape":)";
  const std::string offsets_then =
      R"({"test":{"dtype":"U8","shape":[0],"data_offsets":)";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "byte"},
      {"{", "byte"},
      {"{}x", "byte"},
      {"{} {}", "byte"},
      {std::string("{}\0", 3), "NUL at byte 2"},
      {"\xef\xbb\xbf{}", "byte order mark"},
      {"[]", "found an array, expected an object"},
      {"null", "found null, expected an object"},
      {"1", "found the number 1, expected an object"},
      {"\"a\"", "found the string \"a\", expected an object"},
      {"{\"a\":1}", "\"a\": found the number 1, expected an object"},
      {"{\"a\":[]}", "\"a\": found an array, expected an object"},
      {"{\"a\":null}", "found null"},
      {"{\"a\":{}}", "tensor \"a\": dtype is missing"},
      {R"({"a":{"dtype":"U8"}})", "shape is missing"},
      {R"({"a":{"dtype":"U8","shape":[]}})", "data_offsets is missing"},
      {R"({"a":{"shape":[],"data_offsets":[0,4]}})", "dtype is missing"},
      {One("F33", "[]", "[0,4]"),
       "tensor \"test\": dtype: \"F33\" is none of F32"},
      {One("f32", "[]", "[0,4]"), "\"f32\" is none of"},
      {R"({"a":{"dtype":1,"shape":[],"data_offsets":[0,4]}})",
       "dtype: found the number 1, expected a string"},
      {R"({"a":{"dtype":["U8"],"shape":[],"data_offsets":[0,4]}})",
       "dtype: found an array"},
      {shape_then + "null" + tail, "shape: found null, expected an array"},
      {shape_then + "1" + tail, "shape: found the number 1"},
      {shape_then + "{}" + tail, "shape: found an object"},
      {shape_then + "\"a\"" + tail, "shape: found the string"},
      {shape_then + "[-1]" + tail,
       "found a negative number, expected an unsig"},
      {shape_then + "[-0]" + tail, "negative number"},
      {shape_then + "[1.0]" + tail, "found the number 1.0, expected"},
      {shape_then + "[1e0]" + tail, "found the number 1e0"},
      {shape_then + "[18446744073709551616]" + tail, "184467440737095516"},
      {shape_then + "[1e999]" + tail, "test"},
      {shape_then + "[\"1\"]" + tail, "found the string"},
      {shape_then + "[true]" + tail, "found a boolean"},
      {shape_then + "[[1]]" + tail, "found an array"},
      {shape_then + "[01]" + tail, "byte"},
      {offsets_then + "[0]}}", "data_offsets: 1 elements, must be 2"},
      {offsets_then + "[]}}", "0 elements, must be 2"},
      {offsets_then + "[0,0,0]}}", "more than two"},
      {offsets_then + "[0,-1]}}", "negative number"},
      {offsets_then + "[0,0.5]}}", "number 0.5"},
      {offsets_then + "0}}", "expected an array [begin, end]"},
      {offsets_then + "{\"0\":0}}}", "data_offsets: found an object"},
      {R"({"__metadata__":{"a":1}})", "__metadata__ \"a\": found the number 1"},
      {R"({"__metadata__":{"a":null}})", "found null, expected a string"},
      {R"({"__metadata__":{"a":{}}})", "found an object, expected a string"},
      {R"({"__metadata__":[]})", "found an array"},
      {R"({"__metadata__":"a"})", "found the string"},
      {R"({"__metadata__":null,"__metadata__":{}})", "__metadata__ twice"},
      {R"({"__metadata__":false})", "found a boolean"},
      {R"({"a":null})", "found null"},
      {R"({"__metadata__":{},"__metadata__":{}})", "__metadata__ twice"},
      {R"({"__metadata__":{"a":"1","b":"","a":"2"}})", "the key \"a\" twice"},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
       "dtype: given twice"},
      {"{" + Tensor("a", "U8", "[0]", "[0,0]") + "," +
           Tensor("b", "U8", "[0]", "[0,0]") + "," +
           Tensor("\\u0061", "U8", "[0]", "[0,0]") + "}",
       "tensor \"a\": named twice"},
      {R"({"\ud800":{}})", "byte"},
      {"{\"a\n\":{}}", "byte"},
      {"{/**/}", "byte"},
      {"{'a':{}}", "byte"},
      {R"({"a":{},})", "dtype is missing"},
      {R"({"__metadata__":{"a":"b",}})", "byte"},
      {"NaN", "byte"},
  };
  for (const auto& [header, text] : cases) {
    EXPECT_TRUE(Refuses(SafetensorsBytes(header),
                        "\"test file\": InvalidHeaderDeserialization: "))
        << header;
    EXPECT_TRUE(Refuses(SafetensorsBytes(header), text)) << header;
  }
}

TEST(SafetensorsReader, MessagesStayShort) {
  std::string name;
  for (int i = 0; i < 5000; ++i) name += "\xc3\xa9";
  for (const std::string& header :
       {"{\"" + name + "\":1}", "{\"" + name, "{\"a" + name}) {
    try {
      Parsed parsed(SafetensorsBytes(header));
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_LT(error.message().size(), 1000u);
    }
  }
}

TEST(SafetensorsReader, NestingIsBounded) {
  const auto nested = [](int depth) {
    return SafetensorsBytes(
        R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":)" +
        std::string(static_cast<size_t>(depth), '[') +
        std::string(static_cast<size_t>(depth), ']') + "}}");
  };
  EXPECT_EQ(Parsed(nested(126)).reader.entries().size(), 1u);
  EXPECT_TRUE(Refuses(nested(127), "nested more than 128 deep"));
  EXPECT_TRUE(Refuses(nested(1000000), "nested more than 128 deep"));
}

TEST(SafetensorsReader, InvalidOffset) {
  const std::string data = Noise(32);
  const auto two = [&](const char* a, const char* b) {
    return SafetensorsBytes("{" + Tensor("a", "U8", "[16]", a) + "," +
                                Tensor("b", "U8", "[16]", b) + "}",
                            data);
  };
  EXPECT_EQ(Parsed(two("[0,16]", "[16,32]")).reader.entries().size(), 2u);
  EXPECT_EQ(Parsed(two("[16,32]", "[0,16]")).reader.entries().size(), 2u);
  EXPECT_TRUE(Refuses(two("[0,16]", "[0,16]"),
                      "InvalidOffset: tensor \"b\": data_offsets = [0, 16], "
                      "must begin at 16"));
  EXPECT_TRUE(Refuses(two("[0,16]", "[15,31]"), "InvalidOffset: tensor \"b\""));
  EXPECT_TRUE(Refuses(two("[0,16]", "[17,33]"), "InvalidOffset: tensor \"b\""));
  EXPECT_TRUE(Refuses(two("[1,17]", "[17,33]"), "InvalidOffset: tensor \"a\""));
  EXPECT_TRUE(Refuses(two("[0,16]", "[16,15]"), "InvalidOffset: tensor \"b\""));
  const std::string top = "[9223372036854775808,18446744073709551615]";
  EXPECT_TRUE(Refuses(two("[0,16]", top.c_str()), "InvalidOffset"));
}

TEST(SafetensorsReader, ValidationOverflow) {
  const std::string data = Noise(16);
  for (const char* shape :
       {"[2,18446744073709551614]", "[18446744073709551615,2]",
        "[4294967296,4294967296]", "[576460752303423488]",
        // Also where a later dimension is 0.
        "[2,18446744073709551614,0]", "[0,4294967296,4294967296]"}) {
    EXPECT_TRUE(Refuses(SafetensorsBytes(One("I32", shape, "[0,16]"), data),
                        "ValidationOverflow: tensor \"test\": dtype I32"))
        << shape;
  }
}

TEST(SafetensorsReader, MisalignedSlice) {
  EXPECT_TRUE(Refuses(SafetensorsBytes(One("F4", "[1,3]", "[0,2]"), "ab"),
                      "MisalignedSlice: tensor \"test\": dtype F4, shape [1, 3]"
                      ": 12 bits"));
  EXPECT_TRUE(Refuses(SafetensorsBytes(One("F6_E2M3", "[2]", "[0,2]"), "ab"),
                      "MisalignedSlice"));
}

TEST(SafetensorsReader, TensorInvalidInfo) {
  EXPECT_TRUE(Refuses(SafetensorsBytes(One("I32", "[2,2]", "[0,4]"), Noise(16)),
                      "TensorInvalidInfo: tensor \"test\": data_offsets = [0, "
                      "4] are 4 bytes, dtype I32, shape [2, 2] needs 16"));
  // Although the file is short, too.
  EXPECT_TRUE(Refuses(SafetensorsBytes(One("I32", "[2,2]", "[0,17]"), ""),
                      "TensorInvalidInfo"));
  // Far more than any file has.
  EXPECT_TRUE(Refuses(
      SafetensorsBytes(One("U8", "[2]", "[0,18446744073709551615]"), "ab"),
      "TensorInvalidInfo"));
}

TEST(SafetensorsReader, MetadataIncompleteBuffer) {
  EXPECT_TRUE(Refuses(SafetensorsBytes(kGolden, Noise(14)),
                      "MetadataIncompleteBuffer: the tensors have 16 bytes, "
                      "but 14 follow the header"));
  EXPECT_TRUE(Refuses(SafetensorsBytes(kGolden, Noise(17)),
                      "MetadataIncompleteBuffer"));
  EXPECT_TRUE(Refuses(SafetensorsBytes("{}", "x"), "MetadataIncompleteBuffer"));
  EXPECT_TRUE(Refuses(
      SafetensorsBytes(
          One("U8", "[1152921504606846976]", "[0,1152921504606846976]"), "x"),
      "MetadataIncompleteBuffer"));
}

TEST(SafetensorsReader, TheFirstTensorThatIsWrongDecides) {
  // By offset: the overlap of b comes before the misalignment of c.
  EXPECT_TRUE(
      Refuses(SafetensorsBytes("{" + Tensor("c", "F4", "[3]", "[9,10]") + "," +
                               Tensor("a", "U8", "[8]", "[0,8]") + "," +
                               Tensor("b", "U8", "[1]", "[7,8]") + "}"),
              "InvalidOffset: tensor \"b\""));
}

TEST(SafetensorsReader, Unsupported) {
  EXPECT_EQ(
      Parsed(SafetensorsBytes(One("U8", "[1,1,1,1,1,1,1,1]", "[0,1]"), "x"))
          .reader.entries()[0]
          .shape.rank,
      8);
  EXPECT_TRUE(
      Refuses(SafetensorsBytes(One("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), "x"),
              "tensor \"test\" has a rank above 8", Status::kUnsupported));
  EXPECT_TRUE(Refuses(
      SafetensorsBytes("{" + Tensor("a\\u0000b", "U8", "[0]", "[0,0]") + "}"),
      "NUL", Status::kUnsupported));
  EXPECT_TRUE(Refuses(SafetensorsBytes(R"({"__metadata__":{"a":"\u0000"}})"),
                      "NUL", Status::kUnsupported));
  // A name that no writer of ours can give.
  EXPECT_TRUE(
      Refuses(SafetensorsBytes("{" + Tensor("", "U8", "[0]", "[0,0]") + "}"),
              "empty name", Status::kUnsupported));
}

TEST(SafetensorsReader, MoreTensorsThanAnyModelHas) {
  std::string header = "{";
  const std::string rest =
      "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
  for (uint64_t i = 0; i <= kMaxTensors; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + rest;
  }
  EXPECT_TRUE(Refuses(SafetensorsBytes(header + "}"), "more than 1000000",
                      Status::kUnsupported));
}

TEST(SafetensorsReader, AcceptsWhatTheReferenceAccepts) {
  EXPECT_TRUE(Parsed(SafetensorsBytes("{}")).reader.entries().empty());
  // White space of any JSON kind before and after.
  EXPECT_TRUE(
      Parsed(SafetensorsBytes(" \t\r\n{ } \r\n\t")).reader.entries().empty());
  // Scalars; empty tensors, one of them at the end of another.
  const Parsed p(
      SafetensorsBytes("{" + Tensor("empty", "F32", "[0,7]", "[1,1]") + "," +
                           Tensor("scalar", "U8", "[]", "[0,1]") + "," +
                           Tensor("before", "F32", "[3,0]", "[0,0]") + "," +
                           Tensor("bool", "BOOL", "[1]", "[1,2]") + "}",
                       "xy"));
  ASSERT_EQ(p.reader.entries().size(), 4u);
  EXPECT_EQ(p.reader.entries()[0].name, "before");
  EXPECT_EQ(p.reader.entries()[1].name, "bool");
  EXPECT_EQ(p.reader.entries()[2].name, "empty");
  EXPECT_EQ(p.reader.entries()[3].name, "scalar");
  EXPECT_EQ(p.reader.Data(*p.reader.Find("empty")), nullptr);
  EXPECT_EQ(p.reader.Find("scalar")->shape.rank, 0);
  EXPECT_EQ(*p.reader.Data(*p.reader.Find("scalar")), 'x');
  // The reference's metadata are an Option.
  const Parsed none(
      SafetensorsBytes(R"({"__metadata__":null,"a":{"dtype":"U8","shape":[0],)"
                       R"("data_offsets":[0,0]}})"));
  EXPECT_EQ(none.reader.entries().size(), 1u);
  EXPECT_EQ(none.reader.metadata(), Metadata());
  // Fields nobody knows, whatever is in them.
  const Parsed q(SafetensorsBytes(
      R"({"a":{"x":{"dtype":1,"a":[{},null]},"dtype":"U8","y":[1.5,-2],)"
      R"("shape":[1],"z":true,"z":"","data_offsets":[0,1],"w":null}})",
      "x"));
  EXPECT_EQ(q.reader.entries().size(), 1u);
}

TEST(SafetensorsReader, MetadataIsSorted) {
  const Parsed p(SafetensorsBytes(
      R"({"b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
      R"("__metadata__":{"z":"1","":"","a\n":"\u00e9\"\ud83d\ude00"}})"));
  const Metadata expected = {
      {"", ""}, {"a\n", "\xc3\xa9\"\xf0\x9f\x98\x80"}, {"z", "1"}};
  EXPECT_EQ(p.reader.metadata(), expected);
}

TEST(SafetensorsReader, EveryDType) {
  for (int32_t id = 1; const DTypeInfo* info = FindDType(id); ++id) {
    const std::string bytes = std::to_string(info->bits);  // of 8 elements
    const Parsed p(SafetensorsBytes(
        One(info->name, "[2,4]", "[0," + bytes + "]"), Noise(info->bits)));
    EXPECT_EQ(p.reader.entries()[0].dtype, info->dtype);
    EXPECT_EQ(p.reader.entries()[0].bytes, info->bits);
  }
}

TEST(SafetensorsReader, TruncationAtEveryByte) {
  const std::string file = SafetensorsBytes(
      "{\"__metadata__\":{\"k\":\"v\"}," + Tensor("a", "F32", "[3]", "[0,12]") +
          "," + Tensor("b", "U8", "[5]", "[12,17]") + "}",
      Noise(17));
  EXPECT_EQ(Parsed(file).reader.entries().size(), 2u);
  for (size_t n = 0; n < file.size(); ++n) {
    EXPECT_TRUE(Refuses(file.substr(0, n), "test file")) << n;
  }
  EXPECT_TRUE(Refuses(file + '\0', "MetadataIncompleteBuffer"));
}

}  // namespace
}  // namespace bnq
