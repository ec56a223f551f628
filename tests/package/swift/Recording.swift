/// What the doubles of a model give, and what they were given.
public enum Recorded {
  nonisolated(unsafe) public static var outputs: [(name: String, values: [Float])] = []
  nonisolated(unsafe) public static var labels: [String] = []  // of a classifier by name
  nonisolated(unsafe) public static var input: [Float] = []
}
