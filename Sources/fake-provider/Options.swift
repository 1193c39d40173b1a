internal import FakeProvider

/// The command line.
struct Options {
    var port: UInt16 = 0
    var address = "127.0.0.1"
    var settings = Settings()
    var endsWithParent = false

    struct Mistake: Error {
        let text: String
    }

    init(_ arguments: [String]) throws(Mistake) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            if option == "--with-parent" {
                endsWithParent = true
                continue
            }
            guard ["--port", "--address", "--app", "--life", "--allow"].contains(option) else {
                throw Mistake(text: "unknown option \(option)")
            }
            guard let value = rest.popFirst() else { throw Mistake(text: "\(option) needs a value") }
            try set(option, value)
        }
    }

    private mutating func set(_ option: String, _ value: String) throws(Mistake) {
        switch option {
        case "--port":
            guard let number = UInt16(value) else { throw Mistake(text: "--port needs a number up to 65535") }
            port = number
        case "--address": address = value
        case "--life":
            guard let seconds = Int64(value), seconds > 0, seconds < 1_000_000_000 else {
                throw Mistake(text: "--life needs a number of seconds")
            }
            settings.life = .seconds(seconds)
        case "--allow": settings.allowedAddresses.insert(value)
        default:
            guard let equals = value.firstIndex(of: "="), equals != value.startIndex else {
                throw Mistake(text: "--app needs ID=SECRET")
            }
            settings.applications[String(value[..<equals])] = String(value[value.index(after: equals)...])
        }
    }
}
