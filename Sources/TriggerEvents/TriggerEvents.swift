// module TriggerEvents
