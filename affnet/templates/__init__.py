"""What apps are given: templates of their code, and the contract that the code keeps."""
