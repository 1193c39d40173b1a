internal import Crypto
internal import Glibc

/// The master key that the local platform makes for itself, kept in its data folder for its owner alone.
enum LocalKey {
    private static let id = "local"

    /// Sets `MASTER_KEYS` where it is not given; where it is, what the local key has sealed opens as well.
    static func add(
        to environment: inout [(name: String, value: String)], data: String
    ) throws(LocalPlatformFailure) {
        let file = data + "/master-keys"
        let given = environment.last { $0.name == MasterKeys.variable }?.value ?? ""
        let stored = try read(file)
        if given.isEmpty {
            environment.removeAll { $0.name == MasterKeys.variable }
            let key = if let stored { stored } else { try make(file) }
            environment.append((MasterKeys.variable, key))
        } else if let stored, let keys = try? MasterKeys(parsing: given), !keys.ids.contains(id) {
            environment.removeAll { $0.name == MasterKeys.variable }
            environment.append((MasterKeys.variable, given + "," + stored))
        }
    }

    private static func read(_ file: String) throws(LocalPlatformFailure) -> String? {
        guard unsafe access(file, F_OK) == 0 else { return nil }
        let text = TextFile.read(file)?.split(whereSeparator: \.isNewline).first.map { String($0) } ?? ""
        guard (try? MasterKeys(parsing: text)) != nil else {
            throw LocalPlatformFailure(
                message: "\(file) holds no key: give MASTER_KEYS, or remove the data folder and begin anew")
        }
        return text
    }

    private static func make(_ file: String) throws(LocalPlatformFailure) -> String {
        let failure = LocalPlatformFailure(message: "\(file) cannot be written")
        var system = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &system) }
        guard let key = try? Base64.encode(bytes) else {
            throw LocalPlatformFailure(
                message: "MASTER_KEYS is not given, and libcrypto, which would make a key, cannot be opened")
        }
        let text = "\(id):\(key)"
        // Under another name first: a key that is there is whole, and what it sealed can be opened again.
        let draft = file + ".new"
        _ = unsafe unlink(draft)
        let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure }
        var line = text + "\n"
        let written = line.withUTF8 { unsafe write(descriptor, $0.baseAddress, $0.count) }
        let isSafe = written == line.utf8.count && fsync(descriptor) == 0
        close(descriptor)
        guard isSafe, unsafe rename(draft, file) == 0 else { throw failure }
        return text
    }
}
