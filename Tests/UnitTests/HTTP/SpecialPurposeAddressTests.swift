import Glibc
import HTTP
import TestKit
import Testing

/// What nobody outside may be reached by.
@Suite struct SpecialPurposeAddressTests {
    /// An address as its bits, and a range of them; read by the C library, so that nothing here is judged by what is tested.
    struct Block: CustomTestStringConvertible {
        let prefix: [UInt8]
        let length: Int
        let testDescription: String

        init(_ text: String) {
            let parts = text.split(separator: "/")
            testDescription = text
            prefix = SpecialPurposeAddressTests.bytes(String(parts[0])) ?? []
            length = Int(parts[1]) ?? -1
        }

        /// The address whose bits beyond the prefix are those of `filler`.
        func address(filling filler: (Int) -> UInt8) -> [UInt8] {
            prefix.indices.map { index in
                let fixed = max(0, min(8, length - 8 * index))
                let mask = UInt8(truncatingIfNeeded: 0xFF00 >> fixed)
                return prefix[index] & mask | filler(index) & ~mask
            }
        }

        func holds(_ address: [UInt8]) -> Bool {
            address.count == prefix.count && self.address { address[$0] } == address
        }
    }

    /// The IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, as of 2025), whatever they say is not globally reachable,
    /// and the multicast ranges, which have registries of their own.
    static let special = [
        "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24",
        "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/4", "255.255.255.255/32", "224.0.0.0/4", "100.100.100.200/32",
        "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32",
        "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
        "ff00::/8",
        // No longer in the registry: IPv4-compatible (RFC 4291, 2.5.5.1) and site-local (RFC 3879).
        "::/96", "fec0::/10",
    ].map(Block.init)

    /// Reachable by the registry, and refused all the same: nobody's provider is there.
    static let refusedToo = ["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"].map(
        Block.init)

    @Test(arguments: special + refusedToo)
    func `GHSA-2p57-rm9w-gvfp (npm ip): no address of a special-purpose range is public`(block: Block) throws {
        try #require(block.length >= 0 && !block.prefix.isEmpty)
        var random = Random(seed: UInt64(block.length) << 8 | UInt64(block.prefix[0]))
        var addresses = [block.address { _ in 0 }, block.address { _ in 0xFF }]
        for _ in 0..<200 { addresses.append(block.address { _ in UInt8.random(in: 0...255, using: &random) }) }
        for address in addresses {
            let text = try #require(SpecialPurposeAddressTests.text(address))
            let read = try #require(IPAddress(text), "\(text)")
            #expect(read == IPAddress(bytes: address), "\(text)")
            #expect(!read.isPublic, "\(text)")
        }
    }

    @Test func `every other address that is given out is public`() throws {
        var random = Random(seed: 7)
        let ranges = SpecialPurposeAddressTests.special + SpecialPurposeAddressTests.refusedToo
        var judged = 0
        for _ in 0..<20_000 {
            var address = (0..<(Bool.random(using: &random) ? 4 : 16)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if address.count == 16 { address[0] = 0x20 | address[0] & 0x1F }
            if ranges.contains(where: { $0.holds(address) }) { continue }
            judged += 1
            let text = try #require(SpecialPurposeAddressTests.text(address))
            #expect(try #require(IPAddress(text)).isPublic, "\(text)")
        }
        #expect(judged > 15_000)
    }

    @Test(arguments: special.filter { $0.prefix.count == 4 })
    func `GHSA-2p57-rm9w-gvfp (npm ip): an IPv4 address is no more public inside an IPv6 one`(block: Block) throws {
        let carried = block.address { _ in 1 }
        let forms: [[UInt8]] = [
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + carried,  // mapped
            Array(repeating: 0, count: 12) + carried,  // compatible
            [0, 0x64, 0xFF, 0x9B] + Array(repeating: 0, count: 8) + carried,  // NAT64
            [0, 0x64, 0xFF, 0x9B, 0, 1] + Array(repeating: 0, count: 6) + carried,  // NAT64, local use
            [0x20, 0x02] + carried + Array(repeating: 0, count: 10),  // 6to4
            [0x20, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + carried.map { ~$0 },  // Teredo
        ]
        for form in forms { #expect(IPAddress(bytes: form)?.isPublic == false, "\(form)") }
    }

    @Test func `what is read as an address is what the C library reads, and hosts that it reads otherwise are refused`()
    {
        var random = Random(seed: 11)
        let pieces = [
            "0", "1", "127", "255", "256", "0x7f", "0177", "08", "1e3", ".", ".", ".", ":", "::", "ffff", "FE80", "%",
            "+1",
            "-1", " ",
        ]
        var read = 0
        var legacyOnly = 0
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 1...9, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            let known = SpecialPurposeAddressTests.bytes(text)
            let address = IPAddress(text)
            if let address {
                read += 1
                #expect(known.flatMap { IPAddress(bytes: $0) } == address, "\(text)")
            }
            // `inet_aton` is what resolvers ask first: whatever it takes for an address must not pass for a name.
            var legacy = in_addr()
            guard inet_aton(text, &legacy) != 0 else { continue }
            if known == nil { legacyOnly += 1 }
            guard let url = try? HTTP.URL(parsing: "https://\(text)/") else { continue }
            #expect(url.origin.host == .address(.v4(UInt32(bigEndian: legacy.s_addr))), "\(text)")
        }
        #expect(read > 100)
        #expect(legacyOnly > 1_000)
    }

    static func bytes(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
        return inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
    }

    private static func text(_ address: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(address.count == 4 ? AF_INET : AF_INET6, address, &text, socklen_t(text.count)) != nil else {
            return nil
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
