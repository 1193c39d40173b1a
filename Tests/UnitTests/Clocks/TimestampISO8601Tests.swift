import Clocks
import Foundation
import Testing

@Suite struct `Timestamp as ISO 8601` {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-1_000, "1969-12-31T23:59:59.000Z"),
            (-86_400_000, "1969-12-31T00:00:00.000Z"),
            (-86_400_001, "1969-12-30T23:59:59.999Z"),
            (1_795_224_005_123, "2026-11-21T01:20:05.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (-2_203_891_200_001, "1900-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (Int64.max, "+292278994-08-17T07:12:55.807Z"),
            (Int64.min, "-292275055-05-16T16:47:04.192Z"),
        ] as [(Int64, String)])
    func `an instant prints in UTC with milliseconds`(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
    }

    @Test func `instants of four centuries print as Foundation prints them`() {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // A step of some eleven days that is no whole number of seconds meets every month and every hour.
        for milliseconds in stride(from: Int64(-6_000_000_000_000), to: 7_000_000_000_000, by: 133_199_877 * 7) {
            let date = Date(timeIntervalSince1970: Double(milliseconds / 1_000))
            let expected = date.formatted(format).dropLast(4)
            #expect(Timestamp(milliseconds: milliseconds / 1_000 * 1_000).iso8601.dropLast(4) == expected)
        }
    }
}
