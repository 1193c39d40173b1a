/// What a function costs by its account, its size and a price sheet.
package struct Bill: Sendable, Equatable {
    /// The configured size of an instance.
    package struct Size: Sendable, Equatable {
        package var megabytes: Int64
        /// Function Compute alone bills it; on Lambda it comes with the memory.
        package var vcpu: Double

        package init(megabytes: Int64, vcpu: Double) {
            self.megabytes = megabytes
            self.vcpu = vcpu
        }

        package var gigabytes: Double { Double(megabytes) / 1_024 }
    }

    /// The time that is billed as worked in.
    package let billed: Duration
    package let gigabyteSeconds: Double
    package let vcpuSeconds: Double
    /// The time that is billed as idle, over all instances.
    package let idle: Duration
    /// In the currency of the price sheet.
    package let cost: Double

    /// The bills of two functions on one invoice.
    package static func + (one: Bill, other: Bill) -> Bill {
        Bill(
            billed: one.billed + other.billed, gigabyteSeconds: one.gigabyteSeconds + other.gigabyteSeconds,
            vcpuSeconds: one.vcpuSeconds + other.vcpuSeconds, idle: one.idle + other.idle, cost: one.cost + other.cost)
    }

    /// Lambda: requests, and billed milliseconds by memory.
    package static func lambda(
        _ account: FunctionAccount, _ size: Size, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Bill {
        let seconds = account.billed / .seconds(1) * size.gigabytes
        let cost = try Double(account.invocations) * sheet.price("per_request") + seconds * sheet.price("per_gb_second")
        return Bill(billed: account.billed, size, cost: cost)
    }

    /// Compute units of one hour, as they are before they are rounded up.
    package struct Units {
        /// Invocations, and the time with requests by vCPU and memory.
        package let active: Double
        /// The memory of every instance for the time that it stays after its last request.
        package let idle: Double
        /// What is billed.
        package var billed: Double { (active + idle).rounded(.up) }
    }

    package static func units(
        _ account: FunctionAccount, _ size: Size, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Units {
        let second =
            try size.vcpu * sheet.price("cu_per_vcpu_second") + size.gigabytes * sheet.price("cu_per_gb_second")
        let idleSecond = try size.gigabytes * sheet.price("cu_per_idle_gb_second")
        return Units(
            active: try Double(account.invocations) * sheet.price("cu_per_request")
                + account.busy / .seconds(1) * second,
            idle: try idle(account, sheet) / .seconds(1) * idleSecond)
    }

    /// Every instance stays for a while after its last request.
    private static func idle(_ account: FunctionAccount, _ sheet: PriceSheet) throws(PriceSheet.Malformed) -> Duration {
        .seconds(1) * (Double(account.instances) * (try sheet.price("idle_seconds_per_instance")))
    }

    /// Function Compute, one function in one hour: units rounded up, and the least price of an hour with a call.
    package static func compute(
        _ account: FunctionAccount, _ size: Size, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Bill {
        if account.invocations == 0 { return Bill(billed: .zero, size, cost: 0) }
        let units = try units(account, size, sheet).billed
        let cost = try max(sheet.price("least_per_function_hour"), units * sheet.price("per_cu"))
        return Bill(billed: account.busy, size, idle: try idle(account, sheet), cost: cost)
    }

    /// Function Compute before compute units: requests, and execution time by memory.
    package static func compute2022(
        calls: Int, each duration: Duration, _ size: Size, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Bill {
        let billed = duration * calls
        let seconds = billed / .seconds(1) * size.gigabytes
        let cost = try Double(calls) * sheet.price("per_request") + seconds * sheet.price("per_gb_second")
        return Bill(billed: billed, size, cost: cost)
    }
}

extension Bill {
    private init(billed: Duration, _ size: Size, idle: Duration = .zero, cost: Double) {
        let seconds = billed / .seconds(1)
        self.init(
            billed: billed, gigabyteSeconds: seconds * size.gigabytes, vcpuSeconds: seconds * size.vcpu, idle: idle,
            cost: cost)
    }
}
