"""From an artifact to a folder that an app takes in: `affnet.package.build.build`."""
