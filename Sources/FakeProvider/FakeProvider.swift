// module FakeProvider
