/// What a function costs by its account, its size and a price sheet.
package struct Bill {
    /// The configured size of an instance.
    package struct Size: Sendable {
        package var gigabytes: Double
        /// Function Compute alone bills it.
        package var vcpu: Double

        package init(gigabytes: Double, vcpu: Double) {
            self.gigabytes = gigabytes
            self.vcpu = vcpu
        }
    }

    package let gigabyteSeconds: Double
    package let cost: Double

    /// Lambda: requests, and billed milliseconds by memory.
    package static func lambda(
        _ account: FunctionAccount, _ size: Size, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Bill {
        let seconds = account.billed / .seconds(1) * size.gigabytes
        let cost = try Double(account.invocations) * sheet.price("per_request") + seconds * sheet.price("per_gb_second")
        return Bill(gigabyteSeconds: seconds, cost: cost)
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
            idle: try Double(account.instances) * sheet.price("idle_seconds_per_instance") * idleSecond)
    }

    /// Function Compute, one function in one hour: units rounded up, and the least price of an hour with a call.
    package static func compute(
        _ account: FunctionAccount, _ size: Size, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Bill {
        let seconds = account.busy / .seconds(1) * size.gigabytes
        if account.invocations == 0 { return Bill(gigabyteSeconds: seconds, cost: 0) }
        let units = try units(account, size, sheet).billed
        let cost = try max(sheet.price("least_per_function_hour"), units * sheet.price("per_cu"))
        return Bill(gigabyteSeconds: seconds, cost: cost)
    }

    /// Function Compute before compute units: requests, and execution time by memory.
    package static func compute2022(
        calls: Int64, each duration: Duration, gigabytes: Double, _ sheet: PriceSheet
    ) throws(PriceSheet.Malformed) -> Bill {
        let seconds = Double(calls) * (duration / .seconds(1)) * gigabytes
        let cost = try Double(calls) * sheet.price("per_request") + seconds * sheet.price("per_gb_second")
        return Bill(gigabyteSeconds: seconds, cost: cost)
    }
}
