import Clocks
import HTTP
import Testing

@Suite struct HTTPDateTests {
    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200), ("Sat, 21 Nov 2026 01:20:05 GMT", 1_795_224_005),
        ] as [(String, Int64)])
    func `the date of a header field is read`(text: String, seconds: Int64) {
        #expect(Timestamp(httpDate: text) == Timestamp(milliseconds: seconds * 1_000))
    }

    @Test(arguments: [
        "", "soon", "784111777", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 19941 08:49:37 GMT", "Sun,  06 Nov 1994 08:49:37 GMT", "Sunn 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:٣٧ GMT",
    ])
    func `whatever else stands there is no date`(text: String) {
        #expect(Timestamp(httpDate: text) == nil)
    }
}
