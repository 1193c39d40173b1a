internal import Clocks
internal import HTTP

/// The calls that Function Compute makes of an instance on its own account, where the function has configured them.
///
/// https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/function-instance-lifecycle
struct ComputeHooks: Sendable {
    let settings: PlatformSettings

    /// `POST /initialize`, once before the first request; answers why it failed, nil where it is done or there is no such hook.
    func initialize(_ instance: ComputeInstance, by client: any HTTP.Client) -> String? {
        guard let limit = settings.initializeLimit else { return nil }
        return instance.initialization.perform {
            do throws(ClientError) {
                let status = try call(.post, "/initialize", "Initialize", instance, within: limit, by: client)
                if (200..<300).contains(status.code) { return nil }
                // This one asks for another instance; the others for another try.
                if status == .internalServerError { instance.leave() }
                return "the initializer answered \(status.code)"
            } catch .ambiguous(.timeout) {
                instance.abandon()
                return "the initializer took longer than \(limit.wholeMilliseconds) ms"
            } catch {
                instance.leave()
                return "the process exited or closed the connection while it was initialized"
            }
        }
    }

    /// `GET /pre-stop`, before the instance is ended; whatever it answers, the instance is ended then.
    func preStop(_ instance: ComputeInstance, by client: any HTTP.Client) {
        guard let limit = settings.preStopLimit else { return }
        _ = try? call(.get, "/pre-stop", "PreStop", instance, within: limit, by: client)
    }

    private func call(
        _ method: Method, _ path: String, _ name: String, _ instance: ComputeInstance, within limit: Duration,
        by client: any HTTP.Client
    ) throws(ClientError) -> Status {
        let request = ComputeRequest(Request(method, path: path), settings, control: path, isRecorded: false)
        settings.output("FC \(name) Start RequestId: \(request.id)")
        do throws(ClientError) {
            let answer = try client.send(
                request.outgoing(to: instance.port), limits: ClientLimits(total: limit), willSend: { true }, didSend: {}
            )
            let failure = answer.status.isSuccess ? "" : ", Error: status \(answer.status.code)"
            settings.output("FC \(name) End RequestId: \(request.id)\(failure)")
            return answer.status
        } catch {
            settings.output("FC \(name) End RequestId: \(request.id), Error: \(error)")
            throw error
        }
    }
}
