internal import CMariaDB
internal import Glibc
internal import SQL

/// The arguments of a prepared statement, where the library reads them while it sends.
///
/// Allocated once per statement; a call copies its arguments in. The library wants stable addresses until
/// `mysql_stmt_execute` has returned, not only until they are bound.
@safe struct ParameterBuffer: ~Copyable {
    /// Room for bytes that is kept between calls; what a large argument needed beyond it is given back.
    private static let keptCapacity = 64 << 10

    let count: Int
    let binds: UnsafeMutablePointer<MYSQL_BIND>
    /// Integers, and doubles by their bits.
    private let scalars: UnsafeMutablePointer<UInt64>
    /// Texts and blobs, one behind the other.
    private var bytes: UnsafeMutableRawPointer
    private var capacity = 256

    init(count: Int) {
        self.count = count
        unsafe binds = .allocate(capacity: max(1, count))
        unsafe binds.initialize(repeating: MYSQL_BIND(), count: max(1, count))
        unsafe scalars = .allocate(capacity: max(1, count))
        unsafe scalars.initialize(repeating: 0, count: max(1, count))
        unsafe bytes = .allocate(byteCount: capacity, alignment: 8)
    }

    deinit {
        unsafe binds.deallocate()
        unsafe scalars.deallocate()
        unsafe bytes.deallocate()
    }

    /// Copies `arguments`, as many as the statement has parameters.
    mutating func fill(_ arguments: [Value]) {
        makeRoom(for: arguments.reduce(0) { $0 + $1.byteCount })
        var offset = 0
        for index in 0..<count {
            unsafe binds[index] = MYSQL_BIND()
            switch arguments[index] {
            case .null:
                unsafe binds[index].buffer_type = MYSQL_TYPE_NULL
            case .integer(let value):
                unsafe scalars[index] = UInt64(bitPattern: value)
                unsafe bind(index, MYSQL_TYPE_LONGLONG, scalars + index, 8)
            case .real(let value):
                unsafe scalars[index] = value.bitPattern
                unsafe bind(index, MYSQL_TYPE_DOUBLE, scalars + index, 8)
            case .text(var value):
                let place = unsafe bytes + offset
                let size = value.withUTF8 { utf8 in
                    unsafe copy(UnsafeRawBufferPointer(utf8), to: place)
                }
                unsafe bind(index, MYSQL_TYPE_STRING, place, size)
                offset += size
            case .blob(let value):
                let place = unsafe bytes + offset
                let size = unsafe value.withUnsafeBytes { unsafe copy($0, to: place) }
                unsafe bind(index, MYSQL_TYPE_BLOB, place, size)
                offset += size
            }
        }
    }

    private func bind(_ index: Int, _ type: enum_field_types, _ buffer: UnsafeMutableRawPointer, _ size: Int) {
        unsafe binds[index].buffer_type = type
        unsafe binds[index].buffer = buffer
        unsafe binds[index].buffer_length = UInt(size)
    }

    private mutating func makeRoom(for size: Int) {
        guard size > capacity || (capacity > Self.keptCapacity && size <= Self.keptCapacity) else { return }
        unsafe bytes.deallocate()
        capacity = max(256, size)
        unsafe bytes = .allocate(byteCount: capacity, alignment: 8)
    }
}

private func copy(_ source: UnsafeRawBufferPointer, to place: UnsafeMutableRawPointer) -> Int {
    if let base = source.baseAddress { unsafe place.copyMemory(from: base, byteCount: source.count) }
    return source.count
}

extension Value {
    /// The bytes it needs beside its scalar.
    fileprivate var byteCount: Int {
        switch self {
        case .null, .integer, .real: 0
        case .text(let value): value.utf8.count
        case .blob(let value): value.count
        }
    }
}
